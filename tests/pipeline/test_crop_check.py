"""Warnings about images that are no aligned crops."""

import numpy as np
import pytest
from numpy.typing import NDArray

from fiqa_cli.faces.alignment import TEMPLATE
from fiqa_cli.pipeline.crop_check import SAMPLE, CropCheck, has_face_geometry
from fiqa_cli.pipeline.prospect import Prospect
from fiqa_cli.records.row import Row


def drawn_face() -> NDArray[np.uint8]:
    """A bright disc with dark eyes and mouth where the alignment's template has them."""
    y, x = np.mgrid[:112, :112]
    face = np.where((x - 56) ** 2 + (y - 65) ** 2 < 50**2, 190, 90)
    for cx, cy in TEMPLATE[[0, 1, 3, 4]]:
        face[(x - cx) ** 2 + (y - cy) ** 2 < 6**2] = 60
    return np.repeat(face.astype(np.uint8)[:, :, None], 3, axis=2)


def check(crops: list[NDArray[np.uint8]], resized: bool = False) -> list[str]:
    warnings: list[str] = []
    checker = CropCheck(warnings.append)
    for crop in crops:
        checker.look(Prospect(Row("x.jpg", width=300, height=200), crop, resized))
    checker.finish()
    return warnings


def test_geometry() -> None:
    assert has_face_geometry(drawn_face())
    assert not has_face_geometry(np.rot90(drawn_face()))
    assert not has_face_geometry(np.roll(drawn_face(), 20, axis=0))
    assert not has_face_geometry(np.full((112, 112, 3), 128, np.uint8))


@pytest.mark.parametrize("count", [1, SAMPLE, 3 * SAMPLE])
def test_aligned_crops_are_fine_and_others_warned_of_once(count: int) -> None:
    assert check([drawn_face()] * count) == []
    (warning,) = check([np.rot90(drawn_face())] * count)
    assert "--aligned" in warning


def test_wrong_size_is_warned_of_once() -> None:
    (warning,) = check([drawn_face()] * 5, resized=True)
    assert "300x200" in warning


def test_a_few_poor_crops_are_no_reason_to_warn() -> None:
    assert check([drawn_face()] * 25 + [np.rot90(drawn_face())] * 7) == []


def test_nothing_to_look_at_is_no_reason_to_warn() -> None:
    warnings: list[str] = []
    checker = CropCheck(warnings.append)
    checker.look(Prospect(Row("x.jpg", status="unreadable")))
    checker.finish()
    assert warnings == []


def test_a_wrong_size_is_noticed_at_any_time() -> None:
    warnings: list[str] = []
    checker = CropCheck(warnings.append)
    for number in range(3 * SAMPLE):
        row = Row("x.jpg", width=300, height=200)
        checker.look(Prospect(row, drawn_face(), resized=number > 2 * SAMPLE))
    checker.finish()
    assert len(warnings) == 1
