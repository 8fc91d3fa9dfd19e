"""Pose from landmarks, against another mean face under known rotations."""

from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from fiqa_cli.measures.pose import MEAN_FACE, POSE_COLUMNS, pose

FRONT = 60 * MEAN_FACE[:, :2] + (200, 150)


def seen(benchmark: ModuleType, yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Landmarks in pixels of insightface's mean face, turned."""
    landmarks = benchmark.projected(benchmark.mean_face(), yaw, pitch, roll)
    return np.asarray(60 * landmarks + (200, 150))


def test_the_mean_face_looks_into_the_camera() -> None:
    assert pose(FRONT) == pytest.approx((0, 0, 0), abs=1e-6)


@pytest.mark.parametrize(
    ("axis", "landmark", "moved"),
    [("yaw", 2, (6, 0)), ("pitch", 2, (0, -6)), ("roll", 1, (0, 6)), ("roll", 0, (0, -6))],
)
def test_directions(axis: str, landmark: int, moved: tuple[int, int]) -> None:
    """A nose to the right looks right, one higher up looks up, a lower right eye is a tilt."""
    landmarks = FRONT.copy()
    landmarks[landmark] += moved
    assert getattr(pose(landmarks), axis) > 1


@pytest.mark.parametrize("axis", POSE_COLUMNS)
def test_a_turn_about_one_axis_is_seen_as_such(benchmark: ModuleType, axis: str) -> None:
    angles = np.linspace(-50, 50, 21)
    still = dict.fromkeys(POSE_COLUMNS, 0.0)
    turns = [still | {axis: float(angle)} for angle in angles]
    found = np.array([getattr(pose(seen(benchmark, **turn)), axis) for turn in turns])
    assert spearmanr(angles, found).statistic > 0.99
    # Another mean face may look up or down a little when its pitch is called 0.
    error = found - angles - np.median(found - angles)
    assert np.abs(error).mean() < 8


def test_turns_about_all_axes_at_once(benchmark: ModuleType) -> None:
    rng = np.random.default_rng(0)
    angles = rng.uniform(-35, 35, (300, 3))
    landmarks = [seen(benchmark, *each) + rng.normal(0, 0.02 * 60, (5, 2)) for each in angles]
    found = np.array([pose(each) for each in landmarks])
    for column in range(3):
        assert spearmanr(angles[:, column], found[:, column]).statistic > 0.9


def test_a_mirrored_face_has_the_opposite_yaw_and_roll(benchmark: ModuleType) -> None:
    landmarks = seen(benchmark, 20, 10, 15)
    mirrored = (landmarks * (-1, 1))[[1, 0, 2, 4, 3]]
    yaw, pitch, roll = pose(landmarks)
    assert pose(mirrored) == pytest.approx((-yaw, pitch, -roll))


def test_an_upside_down_face_is_rolled_by_half_a_turn() -> None:
    assert abs(pose(-FRONT).roll) == pytest.approx(180, abs=0.5)


def test_neither_place_nor_size_matters(benchmark: ModuleType) -> None:
    landmarks = seen(benchmark, 20, 10, 15)
    assert pose(landmarks * 7 - 1000) == pytest.approx(pose(landmarks))


@pytest.mark.parametrize("landmarks", [np.ones((5, 2)), np.full((5, 2), np.nan)])
def test_what_is_no_face_has_no_pose(landmarks: NDArray[np.float64]) -> None:
    assert np.isnan(pose(landmarks)).all()
