"""A detected face: where it is in its image."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

LANDMARKS = ("eye_left", "eye_right", "nose", "mouth_left", "mouth_right")
"""The five landmarks in the order of insightface; left and right as seen in the image."""

LANDMARK_COLUMNS = tuple(f"{name}_{axis}" for name in LANDMARKS for axis in "xy")
"""Their columns in a report: `eye_left_x`, `eye_left_y`, …, in pixels."""


@dataclass(frozen=True, slots=True)
class Face:
    """Box, detector score in [0, 1] and landmarks; all in pixels of the upright image."""

    box: NDArray[np.float32]
    """`[4]`: x1, y1, x2, y2."""
    score: float
    landmarks: NDArray[np.float32]
    """`[5, 2]`: x, y in the order of `LANDMARKS`."""

    def scaled(self, factor: int) -> "Face":
        """The face where it is in an image that is `factor` times as large."""
        return replace(self, box=self.box * factor, landmarks=self.landmarks * factor)

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))

    @property
    def side(self) -> float:
        """Shorter side of the box in pixels."""
        return float(min(self.box[2] - self.box[0], self.box[3] - self.box[1]))

    @property
    def inter_eye(self) -> float:
        """Distance between the two eyes in pixels."""
        return float(np.linalg.norm(self.landmarks[0] - self.landmarks[1]))
