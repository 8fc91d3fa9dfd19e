"""A photo in no more pixels than its faces need."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.faces.alignment import align, enlargement
from fiqa_cli.sources.picture import Picture


class Photo:
    """A picture that may be reduced, and the whole one for the faces that are small in it."""

    def __init__(self, picture: Picture, whole: Callable[[], NDArray[np.uint8]]) -> None:
        """`whole` decodes the whole picture, `[H, W, 3]`; it is called once, if it must be."""
        self._picture = picture
        self._decode_whole = whole
        self._whole = picture.pixels if picture.reduction == 1 else None

    def crop(self, landmarks: NDArray[np.floating]) -> NDArray[np.uint8]:
        """The face with `landmarks` `[5, 2]` in the whole picture, aligned: uint8 `[112, 112, 3]`.

        The reduced picture serves for a face that need not be enlarged from it. Raises ValueError
        as `align` does, and what `whole` raises.
        """
        if self._whole is None:
            # The middle of the first reduced pixel is the middle of all those that went into it.
            reduced = (landmarks + 0.5) / self._picture.reduction - 0.5
            if enlargement(reduced) <= 1:
                return align(self._picture.pixels, reduced)
            self._whole = self._decode_whole()
        return align(self._whole, landmarks)
