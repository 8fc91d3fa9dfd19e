"""From a file to rows and crops."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiqa_cli.faces.choice import FaceChoice
from fiqa_cli.pipeline.prospect import crop_prospects, photo_prospects
from fiqa_cli.sources.listing import Entry
from pipeline.fakes import Corners, picture


def save(folder: Path, image: np.ndarray, name: str = "a.png") -> Entry:
    Image.fromarray(image).save(folder / name)
    return Entry(str(folder / name))


def test_each_face_is_a_prospect(tmp_path: Path) -> None:
    prospects = photo_prospects(save(tmp_path, picture(3)), Corners(), details=True)
    rows = [prospect.row for prospect in prospects]
    assert [row.face for row in rows] == [0, 1, 2]
    assert [row.x2 for row in rows] == [30, 20, 10]
    assert [round(row.det_score or 0, 2) for row in rows] == [0.52, 0.51, 0.5]
    assert {row.status for row in rows} == {"ok"}
    assert (rows[0].width, rows[0].height) == (130, 120)
    assert rows[0].inter_eye == pytest.approx(35.2378, abs=1e-3)
    assert rows[0].details["nose_y"] == pytest.approx(71.7366, abs=1e-3)
    assert all(p.crop is not None and p.crop.shape == (112, 112, 3) for p in prospects)


def test_the_choice_of_faces_is_honoured(tmp_path: Path) -> None:
    entry = save(tmp_path, picture(3))
    assert len(photo_prospects(entry, Corners(), FaceChoice.LARGEST)) == 1
    assert photo_prospects(entry, Corners(), FaceChoice.BEST)[0].row.det_score == 0.52


def test_small_faces_are_reported_but_not_scored(tmp_path: Path) -> None:
    prospects = photo_prospects(save(tmp_path, picture(3)), Corners(), min_face=25)
    assert [p.row.status for p in prospects] == ["ok", "too-small", "too-small"]
    assert [p.crop is None for p in prospects] == [False, True, True]
    assert prospects[2].row.error == "face of 10 pixels"


def test_an_image_without_a_face_is_one_row(tmp_path: Path) -> None:
    (prospect,) = photo_prospects(save(tmp_path, picture(0)), Corners())
    assert (prospect.row.status, prospect.row.face, prospect.crop) == ("no-face", None, None)


def test_what_cannot_be_read_is_one_row(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    (prospect,) = photo_prospects(Entry(str(tmp_path / "text.jpg")), Corners())
    assert prospect.row.status == "unreadable"
    assert prospect.row.error
    (prospect,) = crop_prospects(Entry("x", "is a directory"))
    assert (prospect.row.status, prospect.row.error) == ("unreadable", "is a directory")


def test_a_tiny_image_is_too_small(tmp_path: Path) -> None:
    entry = save(tmp_path, np.zeros((1, 1, 3), np.uint8))
    for prospects in (photo_prospects(entry, Corners()), crop_prospects(entry)):
        assert prospects[0].row.status == "too-small"
        assert prospects[0].row.error == "image of 1x1 pixels"


def test_a_failing_detector_costs_one_row(tmp_path: Path) -> None:
    class Broken(Corners):
        def detect(self, image: np.ndarray) -> list:
            raise RuntimeError("first line\nsecond line")

    (prospect,) = photo_prospects(save(tmp_path, picture(1)), Broken())
    assert (prospect.row.status, prospect.row.error) == ("failed", "detection: first line")


def test_crops_of_another_size_are_resized_as_the_reference_does(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 150, 3), dtype=np.uint8)
    (prospect,) = crop_prospects(save(tmp_path, image))
    expected = Image.fromarray(image).resize((112, 112), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(prospect.crop, np.asarray(expected))
    assert prospect.resized
    (prospect,) = crop_prospects(save(tmp_path, image[:112, :112]))
    np.testing.assert_array_equal(prospect.crop, image[:112, :112])
    assert not prospect.resized
