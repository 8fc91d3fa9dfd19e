"""Alignment: the similarity transform that brings five landmarks to their places in a crop."""

import numpy as np
from numpy.typing import NDArray

CROP_SIZE = 112
TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
"""Where ArcFace and its successors expect the landmarks in a 112×112 crop, x and y in pixels."""


def similarity(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """The 2×3 matrix of the least-squares similarity from `landmarks` `[5, 2]` to `TEMPLATE`.

    Rotation, uniform scale and translation without reflection (Umeyama, 1991). In two dimensions
    the optimum has a closed form: with the points as complex numbers it is one division.

    Raises ValueError if the landmarks are not finite or all in one place.
    """
    if not np.isfinite(landmarks).all():
        raise ValueError("landmarks are not finite")
    source = landmarks[:, 0].astype(np.float64) + 1j * landmarks[:, 1]
    target = TEMPLATE[:, 0] + 1j * TEMPLATE[:, 1]
    centred = source - source.mean()
    spread = np.vdot(centred, centred).real
    if spread < 1e-9:
        raise ValueError("landmarks are all in one place")
    turn = np.vdot(centred, target - target.mean()) / spread
    shift = target.mean() - turn * source.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def enlargement(landmarks: NDArray[np.floating]) -> float:
    """How many pixels of the crop, side by side, the alignment makes of one of the image.

    Raises ValueError as `similarity` does.
    """
    return float(np.hypot(*similarity(landmarks)[:, 0]))


def align(image: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The aligned crop, uint8 `[112, 112, 3]`; black where it reaches beyond the image.

    Bilinear, as insightface's own alignment, so that recognisers see what they were trained on.
    """
    import cv2

    crop = cv2.warpAffine(image, similarity(landmarks), (CROP_SIZE, CROP_SIZE), borderValue=0.0)
    return np.asarray(crop, np.uint8)
