"""The scale of a quality: on data whose answer is known, and on a network."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.catalogue import load_method
from fiqa_cli.methods.precision import Precision
from fiqa_cli.pipeline.onnx_export import read_crops
from fiqa_cli.training.calibration import Pairs, Scale, compare, misses, require_same_order
from fiqa_cli.training.crops import open_crops
from fiqa_cli.training.embeddings import open_teacher
from fiqa_cli.training.pictures import Pictures
from fiqa_cli.training.quality_validation import qualities
from fiqa_cli.training.scale_card import insert_section, scale_section
from fiqa_cli.training.scaling import Calibration, calibrate, read_scale
from fiqa_cli.zoo.builtin import weights_folder

CPU = torch.device("cpu")


def logistic_pairs(middle: float, width: float, count: int = 60_000) -> Pairs:
    """Pairs that are missed with probability 1 / (1 + exp((q - middle) / width))."""
    rng = np.random.default_rng(0)
    quality = rng.beta(4, 2, count)
    missed = rng.random(count) < 1 / (1 + np.exp((quality - middle) / width))
    return Pairs(quality, missed, threshold=0.3, overall=0.1)


@pytest.mark.parametrize("middle", [0.4, 0.6])
def test_the_quality_of_an_fnmr_is_found(middle: float) -> None:
    curve = misses(logistic_pairs(middle, 0.06))
    for fnmr in (0.3, 0.5, 0.7):
        wanted = middle + 0.06 * np.log((1 - fnmr) / fnmr)
        assert curve.quality_at(fnmr) == pytest.approx(wanted, abs=0.02)
    assert (np.diff(curve.fnmr) <= 0).all()


def test_an_fnmr_that_does_not_occur_is_refused_with_those_that_do() -> None:
    curve = misses(logistic_pairs(0.9, 0.5))
    with pytest.raises(FiqaError, match=r"an FNMR of 0.01 does not occur: .* falls from"):
        curve.quality_at(0.01)


def test_faces_of_one_quality_have_no_scale() -> None:
    same = Pairs(np.full(50, 0.7), np.arange(50) % 2 == 0, 0.3, 0.1)
    with pytest.raises(FiqaError, match="all have the same quality"):
        misses(same)


def test_pairs_are_those_that_counting_one_by_one_gives() -> None:
    rng = np.random.default_rng(1)
    identities = np.array([0, 0, 0, 1, 1, 2])
    embeddings = rng.normal(size=(6, 3, 8)).astype(np.float32)
    quality = rng.random((6, 3)).astype(np.float32)

    def similarity(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    strangers = sorted(
        similarity(embeddings[i, 0], embeddings[j, 0])
        for i in range(6)
        for j in range(i)
        if identities[i] != identities[j]
    )
    found = compare(embeddings, quality, identities, fmr=0.2)
    allowed = int(0.2 * len(strangers))
    assert found.threshold == pytest.approx(strangers[-allowed - 1], abs=1e-6)

    wanted, clean = [], []
    for i in range(6):
        for j in range(6):
            if i == j or identities[i] != identities[j]:
                continue
            for column in range(3):
                if column == 0 and j < i:
                    continue
                missed = similarity(embeddings[i, 0], embeddings[j, column]) < found.threshold
                wanted.append((float(min(quality[i, 0], quality[j, column])), missed))
                clean += [missed] if column == 0 else []
    pairs = sorted(zip(found.quality.tolist(), found.missed.tolist(), strict=True))
    assert pairs == sorted(wanted)
    assert found.overall == np.mean(clean)


def test_a_scale_sends_two_qualities_where_they_should_be_and_scales_add_up() -> None:
    scale = Scale.through(0.3, 0.8)
    assert scale.slope * 0.3 + scale.offset == pytest.approx(0.5)
    assert scale.slope * 0.8 + scale.offset == pytest.approx(1.0)
    both = Scale(2.0, 1.0).after(scale)
    assert both.slope * 0.3 + both.offset == pytest.approx(2.0)
    with pytest.raises(FiqaError, match="is not below that for 1"):
        Scale.through(0.9, 0.8)


def test_new_qualities_have_the_same_order_and_are_where_they_should_be() -> None:
    before = np.random.default_rng(0).random(1000).astype(np.float32)
    scale = Scale(1.2, -0.1)
    after = (scale.slope * before + scale.offset).astype(np.float32)
    require_same_order(before, after, scale)
    flat = Scale(1e-7, 0.5)
    with pytest.raises(FiqaError, match="would reorder"):
        require_same_order(before, np.full_like(before, 0.5), flat)
    after[5] += 1e-3
    with pytest.raises(FiqaError, match="the new weights are off"):
        require_same_order(before, after, scale)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seven faces of the sample photos, each cut in four ways, one of them out of focus."""
    folder = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    photos = read_crops(None).permute(0, 2, 3, 1).numpy()
    for identity, crop in enumerate((*photos[:1], *photos[-6:])):
        (folder / f"id{identity}").mkdir()
        for number in range(4):
            turn = cv2.getRotationMatrix2D((56, 60), rng.uniform(-8, 8), rng.uniform(0.9, 1.1))
            cut = cv2.warpAffine(crop, turn, (112, 112), borderMode=cv2.BORDER_REPLICATE)
            if number == 3:
                cut = cv2.GaussianBlur(cut, (0, 0), 2 + identity)
            Image.fromarray(cut).save(folder / f"id{identity}" / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in model on another scale, as a training leaves it."""
    folder = tmp_path_factory.mktemp("models") / "mine"
    folder.mkdir()
    weights = load_file(weights_folder() / "ediffiqa-n.safetensors")
    for name in ("mlp.l2.weight", "mlp.l2.bias"):
        weights[name] = 3 * weights[name]
    save_file(weights, folder / "model.safetensors", {"format": "pt", "name": "mine"})
    (folder / "README.md").write_text("# mine\n\n## Recipe\n\nnone\n")
    return folder


def calibrated(model: Path, faces: Path, **changes: object) -> Calibration:
    options = {"fmr": 0.01, "copies": 2, **changes}
    return calibrate(model, [faces], "fr-n", CPU, **options)  # type: ignore[arg-type]


def test_on_the_new_scale_half_of_the_pairs_of_quality_one_half_are_missed(
    model: Path, faces: Path, tmp_path: Path
) -> None:
    before = load_file(model / "model.safetensors")
    dry = calibrated(model, faces, write=False)
    assert read_scale(model / "model.safetensors") is None
    found = calibrated(model, faces)
    assert found.scale == dry.scale
    after = load_file(model / "model.safetensors")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"mlp.l2.weight", "mlp.l2.bias"}
    assert {after[name].dtype for name in changed} == {torch.float32}
    assert {after[name].dtype for name in before} == {torch.float16, torch.float32}

    pictures = Pictures(open_crops([faces]), 2, seed=1)
    images = pictures.read(range(len(pictures)))
    method = load_method(str(model), CPU, Precision.FP32).method
    quality = qualities(method, images).reshape(-1, 3)
    embeddings = open_teacher("fr-n").embed(images).reshape(*quality.shape, -1)
    pairs = compare(embeddings, quality, pictures.crops.identities, 0.01)
    assert misses(pairs).quality_at(0.5) == pytest.approx(0.5, abs=1e-3)
    assert np.quantile(quality[:, 0], 0.99) == pytest.approx(1, abs=1e-4)

    with safe_open(model / "model.safetensors", "pt") as file:
        told = file.metadata()
    assert told["name"] == "mine"
    assert json.loads(told["scale"])["half"]["fnmr"] == 0.5
    again = calibrated(model, faces, write=False)
    assert again.scale.slope == pytest.approx(1, abs=1e-3)
    assert again.scale.offset == pytest.approx(0, abs=1e-3)

    section = scale_section(found)
    assert section.startswith("## Scale\n\n**0.5 is the quality at which fr-n misses 50%")
    shares = [row.split("|") for row in section.splitlines() if row.startswith("| ") and "%" in row]
    assert sum(int(row[3].replace(",", "")) for row in shares) == len(found.pairs.quality)
    assert sum(float(row[4].strip(" %")) for row in shares) == pytest.approx(100, abs=1)
    assert max(map(len, section.splitlines())) <= 100


def test_so_many_times_the_overall_fnmr(model: Path, faces: Path) -> None:
    found = calibrated(model, faces, times=2.0, fnmr=None, write=False)
    assert found.fnmr == pytest.approx(2 * found.pairs.overall)
    with pytest.raises(FiqaError, match="which no quality has: give fewer --times"):
        calibrated(model, faces, times=1000.0, write=False)


def test_identities_that_were_held_out_alone_are_compared(model: Path, faces: Path) -> None:
    found = calibrated(model, faces, held_out=5, seed=3, write=False)
    assert (found.identities, len(found.faces)) == (5, 20)


def test_weights_of_another_kind_are_left_alone(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(FiqaError, match="there is no model"):
        calibrated(tmp_path / "absent", faces)
    torch.save({"a": torch.zeros(1)}, tmp_path / "official.pth")
    with pytest.raises(FiqaError, match="published models stay as they are"):
        calibrated(tmp_path / "official.pth", faces)
    with pytest.raises(FiqaError, match="holds no quality network"):
        calibrated(weights_folder() / "unet-n.safetensors", faces)


def test_a_card_gets_one_section_about_the_scale(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("# mine\n\n## Recipe\n\nnone\n")
    insert_section(card, "## Scale\n\none\n")
    assert card.read_text() == "# mine\n\n## Recipe\n\nnone\n\n## Scale\n\none\n"
    insert_section(card, "## Scale\n\ntwo\n")
    assert card.read_text() == "# mine\n\n## Recipe\n\nnone\n\n## Scale\n\ntwo\n"
    card.write_text("# mine\n\n## Scale\n\nold \\1\n\n## Limits\n\nmany\n")
    insert_section(card, "## Scale\n\nnew \\1\n")
    assert card.read_text() == "# mine\n\n## Scale\n\nnew \\1\n\n## Limits\n\nmany\n"
