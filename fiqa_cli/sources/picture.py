"""A decoded image, whole or reduced."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Picture:
    """Upright RGB pixels, and what is known of the whole image that they show."""

    pixels: NDArray[np.uint8]
    """`[H, W, 3]`."""
    width: int
    """Of the whole image, in pixels."""
    height: int
    reduction: int = 1
    """How many pixels of the whole image, side by side, one of these stands for."""
