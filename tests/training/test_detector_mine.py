"""Which photos count as failures of a detector."""

import numpy as np
import pytest

from fiqa_cli.training.detector.labels import Faces
from fiqa_cli.training.detector.mine import fails


def faces(*found: tuple[float, float]) -> Faces:
    """Boxes of 40 pixels at (x, 0) with scores, as pairs (x, score)."""
    boxes = np.array([[x, 0, x + 40, 40] for x, _ in found], np.float32).reshape(-1, 4)
    scores = np.array([score for _, score in found], np.float32)
    return Faces(boxes, np.zeros((len(found), 5, 2), np.float32), scores)


@pytest.mark.parametrize(
    ("truth", "found", "failed"),
    [
        (faces((0, 0.9)), faces((2, 0.8)), False),
        (faces((0, 0.9)), faces(), True),
        (faces((0, 0.9)), faces((2, 0.4)), True),
        (faces((0, 0.9)), faces((2, 0.8), (100, 0.36)), True),
        (faces((0, 0.9), (100, 0.35)), faces((2, 0.8), (102, 0.45)), False),
        (faces((0, 0.9), (100, 0.35)), faces((2, 0.8)), False),
        (faces((0, 0.2)), faces((2, 0.4)), True),
        (faces(), faces(), False),
    ],
)
def test_misses_and_suspects_are_failures_and_doubtful_faces_are_neither(
    truth: Faces, found: Faces, failed: bool
) -> None:
    assert fails(truth, found) is failed
