"""The teacher: the faces that insightface finds with it, and the features that its scores read."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.detector.labels import Faces, detector
from fiqa_cli.training.detector.teacher import Judgement, Teacher, settle, strongest
from fiqa_cli.training.detector.teacher_memory import TeacherMemory
from training.random_scrfd import STRIDES, pictures, write_scrfd


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "scrfd.onnx"
    write_scrfd(path)
    return path


def test_faces_are_those_that_insightface_finds(file: Path) -> None:
    images = pictures(3)
    detect = detector(file, 0.3, 64)
    found = 0
    for image, judged in zip(images, Teacher(file)(images).faces, strict=True):
        wanted = detect(np.ascontiguousarray(image.permute(1, 2, 0).numpy()[..., ::-1]))
        order = np.argsort(-wanted.scores, kind="stable")
        np.testing.assert_allclose(judged.scores, wanted.scores[order], atol=1e-5)
        np.testing.assert_allclose(judged.boxes, wanted.boxes[order], atol=1e-3)
        np.testing.assert_allclose(judged.landmarks, wanted.landmarks[order], atol=1e-3)
        found += len(judged)
    assert found > 5


def test_features_are_what_the_score_layers_read_at_any_size(file: Path) -> None:
    images = pictures(2, 96, 32)
    pixels = (images.float() - 127.5) / 128
    for stride, features in zip(STRIDES, Teacher(file)(images).features, strict=True):
        seen = F.avg_pool2d(pixels, stride)
        wanted = torch.cat((seen, seen.square()), 1)
        torch.testing.assert_close(torch.from_numpy(features), wanted, rtol=1e-4, atol=1e-5)


def faces(*found: tuple[float, float]) -> Faces:
    """Boxes of 40 pixels at (x, 0) with scores, as pairs (x, score)."""
    boxes = np.array([[x, 0, x + 40, 40] for x, _ in found], np.float32).reshape(-1, 4)
    landmarks = np.repeat(boxes.mean(1), 10).reshape(-1, 5, 2)
    return Faces(boxes, landmarks, np.array([score for _, score in found], np.float32))


def test_of_overlapping_faces_the_strongest_is_left() -> None:
    left = strongest(faces((0, 0.5), (4, 0.8), (60, 0.4), (8, 0.6)))
    assert left.boxes[:, 0].tolist() == [4, 60]
    assert not len(strongest(faces()))


def test_the_teacher_decides_and_what_it_does_not_see_is_doubtful() -> None:
    settled = settle(faces((0, 0.9), (100, 0.7), (200, 0.2)), faces((4, 0.6), (300, 0.35)))
    found = dict(zip(settled.boxes[:, 0].tolist(), settled.scores.tolist(), strict=True))
    assert found == pytest.approx({4: 0.6, 300: 0.35, 100: 0.3, 200: 0.2})


def test_memory_gives_back_what_was_stored(tmp_path: Path) -> None:
    memory = TeacherMemory(tmp_path)
    features = [np.full((3, 4, side, side), side, np.float32) for side in (8, 4, 2)]
    judged = [faces((0, 0.9), (60, 0.4)), faces(), faces((5, 0.7))]
    for index in (0, 1, 3):
        memory.store(index, Judgement(features, judged))
    loaded, seen = memory.load(1)
    assert all(np.array_equal(a, b) for a, b in zip(loaded, features, strict=True))
    for wanted, found in zip(judged, seen, strict=True):
        assert np.array_equal(wanted.boxes, found.boxes)
        assert np.array_equal(wanted.landmarks, found.landmarks)
        assert np.array_equal(wanted.scores, found.scores)
    # A run that was cut short leaves a gap or a part: what lies before it can be used.
    (tmp_path / "000002.part.npz").touch()
    assert TeacherMemory(tmp_path).pool == 2


def test_an_empty_memory_is_said(tmp_path: Path) -> None:
    with pytest.raises(FiqaError, match="run `remember` first"):
        TeacherMemory(tmp_path).index(0, seed=1)
