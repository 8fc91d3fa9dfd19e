"""A detector from a folder of photos to a package that scores, and what happens on the way."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor
from torch.nn import functional as F

from fiqa_cli.errors import FiqaError
from fiqa_cli.faces.detector import Detector
from fiqa_cli.networks.scrfd import Layout
from fiqa_cli.training.detector import batches, session
from fiqa_cli.training.detector.evaluate import Agreement
from fiqa_cli.training.detector.labels import Detect, load_labels
from fiqa_cli.training.detector.recipe import DetectorRecipe
from fiqa_cli.training.detector.session import find_teacher, train_detector
from fiqa_cli.training.loop import Report
from fiqa_cli.zoo.builtin import weights_folder
from training.random_scrfd import HEAD, PYRAMID, STAGES, STRIDES, RandomScrfd, write_onnx

CPU = torch.device("cpu")


class Killed(Exception):
    """Stands for a kill between two steps."""


@pytest.fixture(autouse=True, scope="module")
def small_canvases() -> Iterator[None]:
    """On canvases this small, threads cost more than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "SHAPES", ((64, 1, 0.5), (96, 1, 0.5)))
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parts of a portrait, some in a folder below, one larger than canvases are, and no photo."""
    folder = tmp_path_factory.mktemp("photos")
    portrait = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)
    (folder / "more").mkdir()
    for number in range(5):
        part = portrait[: 300 + 20 * number, 20 * number : 380]
        name = f"{number}.jpg" if number % 2 else f"more/{number}.png"
        cv2.imwrite(str(folder / name), cv2.resize(part, None, fx=0.5, fy=0.5))
    cv2.imwrite(str(folder / "large.jpg"), cv2.resize(portrait, (1024, 1024)))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    return folder


def recipe(photos: Path, **changes: object) -> DetectorRecipe:
    values = {"teacher": "scrfd-n", "steps": 4, "batch": 1, **changes}
    return DetectorRecipe(photos=str(photos), held_out=0.2, monitored=0.2, **values)  # type: ignore[arg-type]


def killer(at: int) -> Callable[[Report], None]:
    def observe(report: Report) -> None:
        if report.step == at:
            raise Killed

    return observe


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Report]]:
    """A finished training and what was reported of it."""
    out = tmp_path_factory.mktemp("whole") / "mine"
    reports: list[Report] = []
    train_detector(recipe(photos), out, CPU, every=1, observers=[reports.append])
    return out, reports


def test_the_folder_becomes_a_detector_with_a_card(whole: tuple[Path, list[Report]]) -> None:
    out, reports = whole
    assert {path.name for path in out.iterdir()} == {
        "det_model.onnx",
        "README.md",
        "recipe.toml",
        "work",
    }
    Detector(out, threshold=0.01).detect(data.astronaut())
    card = (out / "README.md").read_text()
    assert ": 4 steps." in card
    assert "4 trained on, 1 monitored, 1 held out" in card
    assert [(each.step, each.steps, each.unit) for each in reports] == [
        (step, 4, "canvases") for step in (1, 2, 3, 4)
    ]
    assert reports[-1].left == 0


def test_labels_are_what_the_teacher_finds_in_photos_as_they_are_trained_on(
    whole: tuple[Path, list[Report]],
) -> None:
    labels = load_labels(whole[0] / "work" / "labels.npz")
    assert set(labels) == {"1.jpg", "3.jpg", "large.jpg", "more/0.png", "more/2.png", "more/4.png"}
    teacher = Detector(weights_folder() / "scrfd-n")
    photo = cv2.resize(data.astronaut(), (640, 640), interpolation=cv2.INTER_AREA)
    (wanted,) = teacher.detect(photo)
    found = labels["large.jpg"]
    sure = found.boxes[found.scores >= 0.5]
    np.testing.assert_allclose(sure, [wanted.box], atol=12)


@pytest.mark.parametrize("at", [1, 3])
def test_a_run_that_was_killed_ends_as_one_that_was_not(
    at: int, whole: tuple[Path, list[Report]], photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        train_detector(recipe(photos), tmp_path, CPU, every=1, observers=[killer(at)])
    assert not (tmp_path / "det_model.onnx").exists()
    file = train_detector(recipe(photos), tmp_path, CPU, every=1)
    assert file.read_bytes() == (whole[0] / "det_model.onnx").read_bytes()


def test_another_recipe_or_other_photos_are_refused(
    whole: tuple[Path, list[Report]], photos: Path
) -> None:
    with pytest.raises(FiqaError, match="another seed: give the same"):
        train_detector(recipe(photos, seed=1), whole[0], CPU)
    with pytest.raises(FiqaError, match="another photos"):
        train_detector(recipe(photos / "more"), whole[0], CPU)


@pytest.mark.parametrize(("monitored", "trained"), [(0.4, 0.6), (0.6, 0.4)])
def test_the_point_has_few_false_boxes_on_monitored_photos_and_on_those_trained_on(
    monitored: float,
    trained: float,
    whole: tuple[Path, list[Report]],
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def found(
        folder: Path, names: Sequence[str], teacher: Detect, own: Detect, points: Sequence[float]
    ) -> list[Agreement]:
        least = monitored if len(names) == 1 else trained
        false = [float(point < least) for point in points]
        return [
            Agreement(point, len(names), 1, 1.0, 1.0, share, share, 0.0, 0.0)
            for point, share in zip(points, false, strict=True)
        ]

    shutil.copytree(whole[0], tmp_path / "out")
    monkeypatch.setattr(session, "compare", found)
    train_detector(recipe(photos), tmp_path / "out", CPU)
    assert "a raw score of 0.60" in (tmp_path / "out" / "README.md").read_text()


def test_photos_without_faces_are_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"photos/{number}.png"), np.full((64, 64, 3), 90, np.uint8))
    with pytest.raises(FiqaError, match="finds no face to train on"):
        train_detector(recipe(tmp_path / "photos"), tmp_path / "out", CPU)


class BrightScrfd(RandomScrfd):
    """Takes what is bright for a face, and has the parts of insightface's SCRFD."""

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs = super().forward(x)
        for level, stride in enumerate(STRIDES):
            bright = F.avg_pool2d(x.mean(1, True), stride).repeat(1, 2, 1, 1)
            flat = bright.permute(0, 2, 3, 1).reshape(x.shape[0], -1, 1)
            outputs[level] = 0.1 * outputs[level] + 0.9 * (4 * flat - 2).sigmoid()
            # The same boxes in a picture and in its mirror image.
            outputs[3 + level] = 1.5 + 0 * outputs[3 + level]
        return outputs


@pytest.fixture(scope="module")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "scrfd.onnx"
    torch.manual_seed(5)
    write_onnx(BrightScrfd(), path)
    return path


def test_part_by_part_from_an_scrfd_with_faces_pasted_from_crops(
    bright: Path, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(4):
        photo = np.zeros((160, 160, 3), np.uint8)
        photo[40 + 5 * number : 90, 50:100] = 255
        cv2.imwrite(str(tmp_path / f"photos/{number}.png"), photo)
    (tmp_path / "crops").mkdir()
    cv2.imwrite(str(tmp_path / "crops/0.png"), np.full((112, 112, 3), 200, np.uint8))
    reports: list[Report] = []
    with_crops = recipe(
        tmp_path / "photos", teacher=str(bright), steps=8, crops=str(tmp_path / "crops")
    )
    file = train_detector(with_crops, tmp_path / "out", CPU, every=1, observers=[reports.append])
    work = tmp_path / "out" / "work"
    assert {path.name for path in work.iterdir()} == {"run.json", "labels.npz", "checkpoint.pt"}
    assert "parts" in reports[-1].terms
    state = torch.load(work / "checkpoint.pt", weights_only=True)
    assert (state["course"]["alone"], state["done"]) == (2, 8)
    assert Layout(*state["layout"]) == Layout(STAGES, PYRAMID, HEAD)
    assert find_teacher(str(tmp_path / "out")) == file
