"""Choice of faces."""

import numpy as np

from fiqa_cli.faces.choice import FaceChoice, choose
from fiqa_cli.faces.face import Face


def face(score: float, side: float) -> Face:
    return Face(np.array([0, 0, side, side], np.float32), score, np.zeros((5, 2), np.float32))


SMALL_SURE, LARGE, MIDDLE = face(0.9, 10), face(0.6, 50), face(0.7, 20)


def test_all_faces_come_by_falling_score() -> None:
    assert choose([LARGE, SMALL_SURE, MIDDLE], FaceChoice.ALL) == [SMALL_SURE, MIDDLE, LARGE]


def test_largest_is_by_box() -> None:
    assert choose([MIDDLE, LARGE, SMALL_SURE], FaceChoice.LARGEST) == [LARGE]


def test_best_is_by_score() -> None:
    assert choose([MIDDLE, LARGE, SMALL_SURE], FaceChoice.BEST) == [SMALL_SURE]


def test_no_faces_leave_nothing_to_choose() -> None:
    assert [choose([], choice) for choice in FaceChoice] == [[], [], []]
