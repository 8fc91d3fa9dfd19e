import numpy as np
import onnxruntime
import pytest
import torch

from fiqa_cli.networks.scrfd import STRIDES, Scrfd
from fiqa_cli.training.detector.export import OUTPUTS, calibrate, export_onnx


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    torch.manual_seed(0)
    net = Scrfd()
    # Moving statistics unlike those of a fresh network, so that a wrong folding would show.
    net(torch.randn(2, 3, 64, 64))
    # A prior of one half, so that the untrained network finds plenty.
    for head in net.heads:
        head.shift_scores(4.6)
    folder = tmp_path_factory.mktemp("pack")
    export_onnx(net, folder / "det_test.onnx")
    return net.eval(), folder


def test_onnx_equals_torch_at_another_size_and_batch(package):
    net, folder = package
    image = torch.randn(2, 3, 96, 160)
    session = onnxruntime.InferenceSession(folder / "det_test.onnx")
    outputs = dict(zip(OUTPUTS, session.run(None, {"input": image.numpy()}), strict=True))
    with torch.no_grad():
        levels = net.levels(net.features(image))
    for stride, (logits, distances, landmarks) in zip(STRIDES, levels, strict=True):
        assert np.allclose(outputs[f"score_{stride}"], logits.sigmoid().flatten(0, 1), atol=1e-4)
        assert np.allclose(outputs[f"box_{stride}"], distances.flatten(0, 1), atol=1e-3)
        assert np.allclose(outputs[f"landmark_{stride}"], landmarks.flatten(0, 1), atol=1e-3)


def test_insightface_loads_the_package_and_decodes_what_the_network_says(package):
    from insightface.app import FaceAnalysis

    net, folder = package
    app = FaceAnalysis(
        name=str(folder), allowed_modules=["detection"], providers=["CPUExecutionProvider"]
    )
    app.prepare(-1, det_thresh=0.0, det_size=(64, 64))
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    best = max(app.get(photo), key=lambda face: face.det_score)

    blob = torch.from_numpy(photo[None, :, :, ::-1].copy()).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        levels = net.levels(net.features((blob - 127.5) / 128))
    scores = [logits.sigmoid().flatten() for logits, _, _ in levels]
    level = int(np.argmax([score.max() for score in scores]))
    row = int(scores[level].argmax())
    stride = STRIDES[level]
    place = row // 2
    centre = torch.tensor([place % (64 // stride), place // (64 // stride)]) * stride
    distances, landmarks = levels[level][1][0, row], levels[level][2][0, row]
    box = torch.cat([centre - distances[:2] * stride, centre + distances[2:] * stride])
    assert best.det_score == pytest.approx(float(scores[level].max()), abs=1e-4)
    assert np.allclose(best.bbox, box, atol=0.02)
    assert np.allclose(best.kps, landmarks.reshape(5, 2) * stride + centre, atol=0.02)


def test_calibration_moves_the_operating_point_to_one_half_and_keeps_the_order():
    torch.manual_seed(0)
    net = Scrfd().eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = net(image).logits[0].sigmoid()
        point = before.median().item()
        calibrate(net, point)
        after = net(image).logits[0].sigmoid()
    clear = (before - point).abs() > 1e-6
    assert torch.equal(after[clear] > 0.5, before[clear] > point)
    assert after[before == point].tolist() == pytest.approx([0.5] * int((before == point).sum()))
