"""Crops of reduced photos: from enough pixels, and where they are in the whole photo."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fiqa_cli.faces.alignment import TEMPLATE, align
from fiqa_cli.faces.face import Face
from fiqa_cli.pipeline.photo import Photo
from fiqa_cli.pipeline.prospect import photo_prospects
from fiqa_cli.sources.decode import UnreadableImage, decode_reduced
from fiqa_cli.sources.listing import Entry

SIZE = 320


def blobs(width: int, height: int) -> NDArray[np.uint8]:
    small = np.random.default_rng(0).integers(0, 256, (height // 40, width // 40, 3), np.uint8)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image)


def face(size: float, x: float, y: float) -> Face:
    """A face whose crop covers `size` pixels from `x`, `y`."""
    landmarks = (TEMPLATE * size / 112 + (x, y)).astype(np.float32)
    return Face(np.array([x, y, x + size, y + size], np.float32), 0.9, landmarks)


class Sighted:
    """Finds the given faces of a photo of 1600 pixels, whatever its size now."""

    size = SIZE

    def __init__(self, *faces: Face) -> None:
        self.faces = faces
        self.seen: list[int] = []

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        self.seen.append(image.shape[1])
        share = image.shape[1] / 1600
        return [Face(f.box * share, f.score, f.landmarks * share) for f in self.faces]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(blobs(1600, 1200)).save(tmp_path / "photo.jpg", quality=98)
    return tmp_path / "photo.jpg"


def test_rows_and_crops_are_those_of_the_whole_photo(photo: Path) -> None:
    faces = [face(700, 100, 200), face(150, 1000, 90)]
    detector = Sighted(*faces)
    prospects = photo_prospects(Entry(str(photo)), detector, details=True)
    assert detector.seen == [800]
    whole = np.asarray(Image.open(photo))
    for prospect, expected in zip(prospects, faces, strict=True):
        row = prospect.row
        assert (row.width, row.height) == (1600, 1200)
        assert [row.x1, row.y1, row.x2, row.y2] == pytest.approx(list(expected.box), abs=1e-3)
        assert row.details["nose_x"] == pytest.approx(expected.landmarks[2, 0], abs=1e-3)
        assert prospect.crop is not None
        difference = prospect.crop.astype(int) - align(whole, expected.landmarks)
        assert np.abs(difference).max() < 12
        assert np.abs(difference.mean()) < 0.5


def test_only_faces_that_are_small_in_it_need_the_whole_photo(photo: Path) -> None:
    reads: list[str] = []

    def whole() -> NDArray[np.uint8]:
        reads.append("whole")
        return np.asarray(Image.open(photo))

    picture = decode_reduced(str(photo), 2 * SIZE)
    assert picture.reduction == 2
    reduced = Photo(picture, whole)
    reduced.crop(face(225, 0, 0).landmarks)  # 112 pixels of the reduced photo
    assert reads == []
    small = face(223, 0, 0)
    np.testing.assert_array_equal(reduced.crop(small.landmarks), align(whole(), small.landmarks))
    reduced.crop(face(100, 30, 0).landmarks)
    assert reads == ["whole"] * 2  # one of them is the test's


def test_a_photo_that_has_gone_meanwhile_costs_its_small_faces(photo: Path) -> None:
    def gone() -> NDArray[np.uint8]:
        raise UnreadableImage("no such file or directory")

    class Vanishing(Sighted):
        def detect(self, image: NDArray[np.uint8]) -> list[Face]:
            photo.unlink()
            return super().detect(image)

    prospects = photo_prospects(Entry(str(photo)), Vanishing(face(700, 0, 0), face(99, 0, 0)))
    assert [prospect.row.status for prospect in prospects] == ["ok", "failed"]
    assert prospects[1].row.error == "alignment: no such file or directory"
