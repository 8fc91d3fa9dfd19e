"""Networks as ONNX files: that they are the same networks, for everyone who reads ONNX."""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.precision import Precision
from fiqa_cli.networks.heads import DifFIQARNetwork, EDifFIQANetwork
from fiqa_cli.networks.iresnet import iresnet18
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.pipeline import onnx_export
from fiqa_cli.pipeline.onnx_export import export_model, read_crops
from fiqa_cli.pipeline.scorer import ScoreOptions, Scorer
from fiqa_cli.sources.listing import expand
from fiqa_cli.zoo.builtin import weights_folder
from fiqa_cli.zoo.checksum import sha256_of
from fiqa_cli.zoo.importing import import_file
from fiqa_cli.zoo.registry import find


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crops")
    rng = np.random.default_rng(0)
    for number in range(5):
        blocks = rng.integers(0, 256, (14, 14, 3), np.uint8)
        Image.fromarray(np.kron(blocks, np.ones((8, 8, 1), np.uint8))).save(
            folder / f"{number}.png"
        )
    return folder


def pixels(crops: Path) -> torch.Tensor:
    """Preprocessed by hand."""
    images = [np.asarray(Image.open(path)) for path in sorted(crops.iterdir())]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def run(file: Path, faces: torch.Tensor, output: str) -> NDArray[np.float32]:
    found = onnxruntime.InferenceSession(file).run([output], {"input": faces.numpy()})[0]
    return np.asarray(found)


def lively(network: nn.Module) -> nn.Module:
    """Statistics and slopes unlike those of a fresh network, so that a wrong folding shows."""
    torch.manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.1, 0.1)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
        elif isinstance(layer, nn.Conv2d):  # crops differ down to the last layer
            nn.init.kaiming_normal_(layer.weight)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.1)
        elif isinstance(layer, nn.PReLU):
            nn.init.uniform_(layer.weight, 0.1, 0.4)
    return network.eval()


@pytest.mark.parametrize(
    "network",
    [EDifFIQANetwork(MobileFaceNet(), 512), DifFIQARNetwork(iresnet18(), 512)],
    ids=["ediffiqa-mobilefacenet", "diffiqa-r-iresnet18"],
)
def test_a_trained_model_gives_the_same_for_any_number_of_crops(
    network: nn.Module, crops: Path, tmp_path: Path
) -> None:
    lively(network)
    weights = tmp_path / "mine" / "model.safetensors"
    weights.parent.mkdir()
    save_file(network.state_dict(), weights)
    done = export_model(str(weights.parent), tmp_path / "mine.onnx", crops)
    assert (done.output, done.crops) == ("quality", 5)
    faces = pixels(crops)
    with torch.inference_mode():
        wanted = network(faces)[1].numpy()
    assert done.difference < 1e-5 * np.abs(wanted).max()
    for count in (1, 2, 5):
        found = run(done.file, faces[:count], "quality")
        assert found.shape == (count, 1)
        np.testing.assert_allclose(found[:, 0], wanted[:count], rtol=1e-3)
    assert wanted.std() > 1e-3


def test_a_recogniser_gives_its_embedding(crops: Path, tmp_path: Path) -> None:
    network = lively(MobileFaceNet())
    torch.save(network.state_dict(), tmp_path / "mine.pth")
    done = export_model(str(tmp_path / "mine.pth"), tmp_path / "mine.onnx", crops)
    faces = pixels(crops)
    with torch.inference_mode():
        wanted = network(faces).numpy()
    np.testing.assert_allclose(run(done.file, faces, "embedding"), wanted, rtol=1e-3, atol=1e-5)


@pytest.fixture(scope="module")
def built_in(crops: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_model("ediffiqa-n", tmp_path_factory.mktemp("onnx") / "n.onnx", crops).file


def qualities(model: str, crops: Path) -> list[float | None]:
    options = ScoreOptions(model=model, aligned=True, device="cpu", precision=Precision.FP32)
    scorer = Scorer(options)
    return [row.quality for row in scorer.score(expand([str(crops)]))]


def test_the_file_scores_as_the_model_and_can_be_imported(built_in: Path, crops: Path) -> None:
    wanted = qualities("ediffiqa-n", crops)
    assert qualities(str(built_in), crops) == pytest.approx(wanted, abs=1e-5)
    import_file(find("ediffiqa-t"), built_in)
    assert qualities("ediffiqa-t", crops) == pytest.approx(wanted, abs=1e-5)


def test_the_file_tells_what_it_is(built_in: Path) -> None:
    model = onnx.load(built_in)
    onnx.checker.check_model(model)
    told = {each.key: each.value for each in model.metadata_props}
    assert told["name"] == "ediffiqa-n"
    assert told["licence"] == "non-commercial research only"
    assert told["weights_sha256"] == sha256_of(weights_folder() / "ediffiqa-n.safetensors")
    assert told["preprocessing"] == "112x112 RGB, (x / 255 - [0.5, 0.5, 0.5]) / [0.5, 0.5, 0.5]"
    assert [each.version for each in model.opset_import] == [13] == [int(told["opset"])]


def test_by_default_the_faces_of_the_sample_photos_are_compared() -> None:
    found = read_crops(None)
    assert found.shape[1:] == (3, 112, 112)
    assert len(found) > 100
    assert found.dtype == torch.uint8


def test_a_file_that_computes_otherwise_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, crops: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "n.onnx"
    kept.write_text("an older file")

    class Wrong:
        def __init__(self, file: Path) -> None:
            assert file.is_file()

        def __call__(self, faces: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.zeros(len(faces), np.float32)

    monkeypatch.setattr(onnx_export, "load_onnx_quality", Wrong)
    with pytest.raises(FiqaError, match="ONNX and torch differ"):
        export_model("ediffiqa-n", kept, crops)
    assert kept.read_text() == "an older file"
    assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize(
    ("name", "file", "told"),
    [
        ("diffiqa-n", "q.onnx", "diffiqa-n is not one network"),
        ("sharpness", "q.onnx", "sharpness is not one network"),
        ("scrfd-n", "q.onnx", "scrfd-n is ONNX already"),
        ("ediffiqa-n", "q.bin", "has to end with .onnx"),
        ("no-such", "q.onnx", "no model is called 'no-such'"),
        ("ediffiqa-m", "q.onnx", "fiqa models pull ediffiqa-m"),
    ],
)
def test_what_cannot_be_exported_is_said(
    name: str, file: str, told: str, crops: Path, tmp_path: Path
) -> None:
    with pytest.raises(FiqaError, match=told):
        export_model(name, tmp_path / file, crops)


def test_without_onnx_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, crops: Path, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(FiqaError, match="run: pip install onnx"):
        export_model("ediffiqa-n", tmp_path / "n.onnx", crops)


def test_a_folder_without_images_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FiqaError, match=r"no images"):
        export_model("ediffiqa-n", tmp_path / "n.onnx", tmp_path / "empty")
