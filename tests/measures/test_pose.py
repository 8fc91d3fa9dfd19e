"""Pose from landmarks, against another mean face under known rotations."""

import pickle
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.stats import spearmanr

from fiqa_cli.faces.alignment import TEMPLATE
from fiqa_cli.measures.pose import pose


@pytest.fixture(scope="module")
def mean_face() -> NDArray[np.float64]:
    """insightface's mean of 3-D faces: its five landmarks `[5, 3]`, eyes at a distance of 1."""
    (package,) = find_spec("insightface").submodule_search_locations
    file = Path(package) / "data" / "objects" / "meanshape_68.pkl"
    points = pickle.loads(file.read_bytes()).astype(np.float64)
    eyes = points[36:42].mean(0), points[42:48].mean(0)
    face = np.stack((*eyes, points[30], points[48], points[54])) * (1, 1, -1)
    return (face - face.mean(0)) / np.linalg.norm(eyes[1] - eyes[0])


def seen(
    face: NDArray[np.float64], yaw: float, pitch: float, roll: float, distance: float = 8
) -> NDArray[np.float64]:
    """Landmarks of a turned face in perspective; `distance` of the camera in eye distances."""
    # x to the right, y down, z away: turns by the rule of the right hand look down and left.
    turned = Rotation.from_euler("xyz", (-pitch, -yaw, roll), degrees=True).apply(face)
    return 60 * turned[:, :2] / (1 + turned[:, 2:] / distance) + (200, 150)


def test_the_template_looks_into_the_camera() -> None:
    assert pose(TEMPLATE) == pytest.approx((0, 0, 0), abs=0.5)


@pytest.mark.parametrize(
    ("axis", "landmark", "moved"),
    [("yaw", 2, (4, 0)), ("pitch", 2, (0, -4)), ("roll", 1, (0, 4)), ("roll", 0, (0, -4))],
)
def test_directions(axis: str, landmark: int, moved: tuple[int, int]) -> None:
    """A nose to the right looks right, one higher up looks up, a lower right eye is a tilt."""
    landmarks = TEMPLATE.copy()
    landmarks[landmark] += moved
    assert getattr(pose(landmarks), axis) > 1


@pytest.mark.parametrize("axis", ["yaw", "pitch", "roll"])
def test_a_turn_about_one_axis_is_seen_as_such(mean_face: NDArray[np.float64], axis: str) -> None:
    angles = np.linspace(-50, 50, 21)
    found = np.array([
        getattr(pose(seen(mean_face, **{"yaw": 0, "pitch": 0, "roll": 0} | {axis: angle})), axis)
        for angle in angles
    ])  # fmt: skip
    assert spearmanr(angles, found).statistic > 0.99
    # Another mean face may look up or down a little when its pitch is called 0.
    error = found - angles - np.median(found - angles)
    assert np.abs(error).mean() < 6


def test_turns_about_all_axes_at_once(mean_face: NDArray[np.float64]) -> None:
    rng = np.random.default_rng(0)
    angles = rng.uniform(-35, 35, (300, 3))
    landmarks = [seen(mean_face, *each) + rng.normal(0, 0.02 * 60, (5, 2)) for each in angles]
    found = np.array([pose(each) for each in landmarks])
    for column in range(3):
        assert spearmanr(angles[:, column], found[:, column]).statistic > 0.9


def test_a_mirrored_face_has_the_opposite_yaw_and_roll(mean_face: NDArray[np.float64]) -> None:
    landmarks = seen(mean_face, 20, 10, 15)
    mirrored = (landmarks * (-1, 1))[[1, 0, 2, 4, 3]]
    yaw, pitch, roll = pose(landmarks)
    assert pose(mirrored) == pytest.approx((-yaw, pitch, -roll))


def test_an_upside_down_face_is_rolled_by_half_a_turn() -> None:
    assert abs(pose(-TEMPLATE).roll) == pytest.approx(180, abs=0.5)


def test_neither_place_nor_size_matters(mean_face: NDArray[np.float64]) -> None:
    landmarks = seen(mean_face, 20, 10, 15)
    assert pose(landmarks * 7 - 1000) == pytest.approx(pose(landmarks))


@pytest.mark.parametrize("landmarks", [np.ones((5, 2)), np.full((5, 2), np.nan)])
def test_what_is_no_face_has_no_pose(landmarks: NDArray[np.float64]) -> None:
    assert np.isnan(pose(landmarks)).all()
