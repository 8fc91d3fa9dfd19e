import numpy as np
import pytest
from numpy.typing import NDArray

from fiqa_cli.faces.alignment import TEMPLATE, similarity
from fiqa_cli.training.degradations import pose
from fiqa_cli.training.pose import CENTRE, relief, rotation, turn_head

ANGLES = [(40, 0), (-25, 0), (0, 30), (0, -20), (30, -15)]


def spotted(x: float, y: float) -> NDArray[np.uint8]:
    """Grey with a soft bright spot."""
    rows, columns = np.mgrid[0:112, 0:112]
    spot = 160 * np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / 1.5**2)
    return np.repeat((60 + spot).astype(np.uint8)[..., None], 3, axis=2)


def spot_of(crop: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Centre of what is brighter than grey, x and y."""
    light = np.maximum(crop[..., 0].astype(float) - 75, 0)
    rows, columns = np.mgrid[0:112, 0:112]
    return np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum()


def test_no_turn_leaves_the_crop_as_it_is() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    np.testing.assert_array_equal(turn_head(crop, 0.0, 0.0), crop)


@pytest.mark.parametrize(("yaw", "pitch"), ANGLES)
@pytest.mark.parametrize("landmark", [0, 1, 3, 4])
def test_landmarks_land_where_a_forward_projection_puts_them(
    yaw: float, pitch: float, landmark: int
) -> None:
    turn = rotation(np.deg2rad(yaw), np.deg2rad(pitch))
    places = TEMPLATE - CENTRE
    depths = relief(*places.T.astype(np.float32))
    projected = (np.column_stack([places, depths]) @ turn.T)[:, :2]
    matrix = similarity(projected)
    expected = matrix[:, :2] @ projected[landmark] + matrix[:, 2]
    turned = turn_head(spotted(*TEMPLATE[landmark]), np.deg2rad(yaw), np.deg2rad(pitch))
    np.testing.assert_allclose(spot_of(turned), expected, atol=1.0)


def test_a_turn_to_the_right_compresses_the_right_half_of_the_face() -> None:
    left, nose, right = (
        spot_of(turn_head(spotted(x, 75), np.deg2rad(35), 0.0))[0] for x in (38, 56, 74)
    )
    assert right - nose < 0.5 * (nose - left)


def test_a_nose_hides_the_cheek_behind_it() -> None:
    hidden = spotted(64, 71)  # beside the nose, on the side that is turned away
    assert hidden.max() > 200
    assert turn_head(hidden, np.deg2rad(60), 0.0).max() < hidden.max() - 40


def test_what_is_beside_the_head_stays_and_its_old_place_is_filled_from_there() -> None:
    crop = np.full((112, 112, 3), 50, np.uint8)
    rows, columns = np.mgrid[0:112, 0:112]
    face = np.hypot((columns - CENTRE[0]) / 38, (rows - CENTRE[1]) / 54) < 1
    crop[face] = 200
    turned = turn_head(crop, np.deg2rad(55), 0.0)
    np.testing.assert_array_equal(turned[:3, :3], crop[:3, :3])
    assert turned[60, 85:].max() < 70, "the face has left this place"


def test_both_sides_and_both_directions_are_drawn() -> None:
    turned = [
        spot_of(pose(spotted(56, 60), 0.6, np.random.default_rng(seed))) - (56, 60)
        for seed in range(20)
    ]
    assert {tuple(np.sign(shift)) for shift in turned} >= {(1, 1), (-1, 1), (1, -1), (-1, -1)}
