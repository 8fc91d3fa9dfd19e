"""Head pose from the five landmarks: a weak-perspective fit of a rigid mean face."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MEAN_FACE = np.array(
    [
        [-0.5, 0, 0],
        [0.5, 0, 0],
        [0, 0.62, -0.5],
        [-0.44, 1, -0.1],
        [0.44, 1, -0.1],
    ]
)
"""The landmarks of a face that looks into the camera, in distances between its eyes: x to the
right, y down, z away from the camera. x and y are medians of what the built-in detector finds in
photos, so that a pitch of 0 is the usual one; the depths are those of mean 3-D faces."""


class Pose(NamedTuple):
    """Angles in degrees; all 0 for `MEAN_FACE`, which looks into the camera."""

    yaw: float
    """-90 to 90; positive: turned to the right of the image."""
    pitch: float
    """Positive: looking up."""
    roll: float
    """Positive: tilted clockwise, as seen in the image."""


POSE_COLUMNS = Pose._fields


def pose(landmarks: NDArray[np.floating]) -> Pose:
    """The pose of a face with these `landmarks` `[5, 2]`, in pixels and the order of `LANDMARKS`.

    Least squares give the affine camera between the mean face and the landmarks, and the nearest
    scaled rotation the pose (as in POS: DeMenthon and Davis, IJCV 1995). Every face is taken for
    the mean one, so that angles are off by some degrees; all nan for landmarks in one place.
    """
    camera = (_CAMERA @ landmarks.astype(np.float64))[:3].T
    if not np.isfinite(camera).all():
        return Pose(math.nan, math.nan, math.nan)
    left, sizes, right = np.linalg.svd(camera, full_matrices=False)
    if sizes[1] < 1e-6:
        return Pose(math.nan, math.nan, math.nan)
    across, down = left @ right
    # Rotations about the mean face's own axis between the eyes, then the image's vertical axis,
    # then the line of sight: the roll is what the line through the eyes shows in the image.
    # The third row of the rotation is the cross product of the two.
    yaw = math.asin(min(max(across[1] * down[2] - across[2] * down[1], -1), 1))
    pitch = math.atan2(
        across[0] * down[2] - across[2] * down[0], across[0] * down[1] - across[1] * down[0]
    )
    roll = math.atan2(down[0], across[0])
    return Pose(*(math.degrees(angle) for angle in (yaw, pitch, roll)))


_CAMERA = np.linalg.pinv(np.column_stack((MEAN_FACE, np.ones(5))))
"""From landmarks `[5, 2]` to the affine camera `[4, 2]`, transposed, that gives them best."""
