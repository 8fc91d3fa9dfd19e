import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from fiqa_cli.faces.detector import load_model
from fiqa_cli.networks.scrfd import Scrfd
from fiqa_cli.training.detector.export import OUTPUTS, export_onnx
from fiqa_cli.training.detector.quantise import SEEN, as_input, quantise, spread


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (60 + 20 * n, 90, 3), dtype=np.uint8) for n in range(3)]


@pytest.fixture(scope="module")
def files(tmp_path_factory, photos):
    torch.manual_seed(0)
    net = Scrfd()
    with torch.no_grad():
        for name, value in net.named_parameters():
            if name.endswith("second.1.weight"):  # blocks that do something
                value.fill_(0.5)
        net.train()(torch.randn(4, 3, 64, 64))
    folder = tmp_path_factory.mktemp("detector")
    export_onnx(net, folder / "exact.onnx")
    quantise(folder / "exact.onnx", photos, folder / "det.onnx")
    assert {path.name for path in folder.iterdir()} == {"exact.onnx", "det.onnx"}
    return folder / "exact.onnx", folder / "det.onnx"


def run(path, blob):
    return onnxruntime.InferenceSession(str(path)).run(OUTPUTS, {"input": blob})


def test_the_answers_are_nearly_those_of_the_exact_network(files, photos):
    for photo in photos:
        blob = as_input(photo)[:, :, :320, :448]
        for wanted, found in zip(*(run(path, blob) for path in files), strict=True):
            assert found.shape == wanted.shape
            assert np.abs(found - wanted).mean() <= 0.1 * wanted.std() + 1e-3
            assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.95


def test_weights_have_seven_bits_but_for_those_of_the_last_layers(files):
    graph = onnx.load(str(files[1])).graph
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    inputs = {node.output[0]: node.input[0] for node in graph.node if node.input}
    exact = []
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        if node.input[1] in values:
            exact.append(node.name)
            continue
        weight = values[inputs[node.input[1]]]
        assert weight.dtype == np.int8
        assert np.abs(weight.astype(int)).max() <= 64
    assert len(exact) == 3
    assert all(name.split("/")[-2] == "answers" for name in exact)
    assert files[1].stat().st_size < 0.4 * files[0].stat().st_size


def test_nothing_is_said_on_stdout(files, photos, tmp_path, capfd):
    quantise(files[0], photos[:1], tmp_path / "det.onnx")
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("shape", [(100, 50), (50, 100), (333, 500), (700, 701), (1, 9)])
def test_a_photo_is_seen_as_by_insightface(files, monkeypatch, shape):
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    model = load_model(files[1])
    model.prepare(ctx_id=-1, input_size=(640, 640))
    run, seen = model.session.run, []
    monkeypatch.setattr(
        model.session, "run", lambda names, feed: seen.append(feed["input"]) or run(names, feed)
    )
    model.detect(photo)
    np.testing.assert_array_equal(as_input(photo), seen[0])


@pytest.mark.parametrize("count", [1, SEEN - 1, SEEN, SEEN + 1, 1800])
def test_photos_are_spread_evenly_and_not_too_many(count):
    names = [str(number) for number in range(count)]
    chosen = spread(names)
    assert min(count, SEEN // 2) <= len(chosen) <= SEEN
    assert len({int(b) - int(a) for a, b in itertools.pairwise(chosen)}) <= 1
