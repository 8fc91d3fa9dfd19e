"""Recognisers from files: state dicts and ONNX, with the pixels they expect."""

from pathlib import Path

import pytest
import torch

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.catalogue import load_method
from fiqa_cli.methods.loaded_recogniser import load_recogniser
from fiqa_cli.methods.precision import Precision
from fiqa_cli.methods.settings import Settings
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.zoo.preprocessing import Pixels
from methods.small import CPU, random_crops
from zoo.toys import onnx_recogniser

RAW = (("Sub", 127.5), ("Mul", 0.0078125))
MEAN, DEVIATION = (
    torch.tensor(values) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
)


@pytest.mark.parametrize("batch", ["batch", 1])
@pytest.mark.parametrize("pixels", [None, *Pixels])
@pytest.mark.parametrize("first", [(), RAW])
def test_onnx_gets_the_pixels_it_expects(
    first: tuple[tuple[str, float], ...], pixels: Pixels | None, batch: int | str, tmp_path: Path
) -> None:
    crops = random_crops(3, seed=1).float()
    file = onnx_recogniser(tmp_path / "r.onnx", batch, first)
    loaded = load_recogniser(str(file), CPU, pixels=pixels)
    assert bool(loaded.guess) == (pixels is None)
    assert loaded.precision == "fp32"
    found = loaded.network(crops / 127.5 - 1)
    means = crops.mean((2, 3))
    expected = {
        "raw": means,
        "half": (means / 255 - 0.5) / 0.5,
        "imagenet": (means / 255 - MEAN) / DEVIATION,
        "half-bgr": (means.flip(1) / 255 - 0.5) / 0.5,
    }[pixels or ("raw" if first else "half")]
    if first:
        expected = (expected - 127.5) * 0.0078125
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_state_dict_gets_the_pixels_that_are_asked_for(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = MobileFaceNet(features=8).eval()
    torch.save(network.state_dict(), tmp_path / "own.pth")
    loaded = load_recogniser(str(tmp_path / "own.pth"), CPU, Precision.FP32, Pixels.IMAGENET)
    crops = random_crops(2, seed=5).float()
    with torch.no_grad():
        mean, deviation = MEAN.reshape(3, 1, 1), DEVIATION.reshape(3, 1, 1)
        expected = network((crops / 255 - mean) / deviation)
        found = loaded.network(crops / 127.5 - 1)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    assert not loaded.guess


def test_raw_embeddings_differ_by_their_norm_alone() -> None:
    faces = random_crops(3, seed=6).float() / 127.5 - 1
    unit = load_recogniser("fr-n", CPU, Precision.FP32).network(faces)
    raw = load_recogniser("fr-n", CPU, Precision.FP32, raw=True).network(faces)
    torch.testing.assert_close(unit.norm(dim=1), torch.ones(3))
    assert (raw.norm(dim=1) - 1).abs().min() > 0.1
    torch.testing.assert_close(raw / raw.norm(dim=1, keepdim=True), unit, rtol=1e-3, atol=1e-5)


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    file = str(onnx_recogniser(tmp_path / "r.onnx"))
    with pytest.raises(FiqaError, match="fr-n needs no --preprocessing: that is for weights"):
        load_recogniser("fr-n", CPU, pixels=Pixels.RAW)
    with pytest.raises(FiqaError, match="runs in fp32: leave out --precision"):
        load_recogniser(file, CPU, Precision.BF16)
    with pytest.raises(FiqaError, match=r"faceqan-n follows gradients, .* give its state dict"):
        load_method("faceqan-n", CPU, settings=Settings(recogniser=file))


def test_diffiqa_and_the_norm_run_over_onnx(tmp_path: Path) -> None:
    file = str(onnx_recogniser(tmp_path / "r.onnx", 1, RAW))
    crops = random_crops(2, seed=7)
    settings = Settings(recogniser=file, preprocessing=Pixels.RAW)
    norm = load_method("embedding-norm", CPU, settings=settings).method
    expected = ((crops.float().mean((2, 3)) - 127.5) * 0.0078125).norm(dim=1)
    torch.testing.assert_close(norm.score(crops).quality, expected, rtol=1e-3, atol=1e-5)
    assert norm.name == "embedding-norm@r.onnx"
    settings = Settings(recogniser=file, copies=1, timestep=1)
    diffiqa = load_method("diffiqa-n", CPU, settings=settings).method
    flipped = diffiqa.score(crops).components["flipped"]
    # The mean of each channel is that of the mirror image too.
    torch.testing.assert_close(flipped, torch.ones(2), rtol=1e-3, atol=1e-3)


def test_baselines_take_no_other_settings() -> None:
    with pytest.raises(FiqaError, match="sharpness has no --seed: it is for diffiqa and faceqan"):
        load_method("sharpness", CPU, settings=Settings(seed=1))
    with pytest.raises(
        FiqaError, match=r"sharpness has no --recogniser: .* diffiqa, faceqan and embedding-norm"
    ):
        load_method("sharpness", CPU, settings=Settings(recogniser="fr-n"))
    assert load_method("sharpness", CPU).weights is None
