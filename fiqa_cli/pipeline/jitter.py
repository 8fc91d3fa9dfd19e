"""Jitter: how much a score moves when the landmarks do, as they do from detector to detector."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fiqa_cli.faces.alignment import TEMPLATE, align
from fiqa_cli.methods.method import Method
from fiqa_cli.methods.noise import generator

DEVIATION = 0.02
"""Standard deviation of a coordinate, in distances between the eyes. The built-in detector's
landmarks differ by 0.005 to 0.022 between a photo and its reduced, moved or mirrored copy."""

JITTER_COLUMNS = ("quality_jitter_mean", "quality_jitter_std")

Align = Callable[[NDArray[np.floating]], NDArray[np.uint8]]
"""From the landmarks of a face, `[5, 2]`, to its crop."""


@dataclass(frozen=True)
class Jitter:
    """How many times a face is aligned anew, and the seed of where its landmarks go."""

    copies: int
    seed: int = 0

    def of_photo(
        self, aligned: Align, landmarks: NDArray[np.floating], crop: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        """Crops of a face, `aligned` by moved landmarks: uint8 `[copies, 112, 112, 3]`.

        `landmarks` is `[5, 2]` in pixels, as `aligned` takes it. Each coordinate moves by normal
        noise that depends on the seed, the number of the copy and the pixels of `crop`, the face
        aligned as it is: so it is the same in any order, batch and process.
        """
        content = crop.tobytes()
        unit = DEVIATION * float(np.linalg.norm(landmarks[0] - landmarks[1]))
        moves = [
            unit * generator(content, self.seed, copy).standard_normal((5, 2))
            for copy in range(self.copies)
        ]
        return np.stack([aligned(landmarks + move) for move in moves])

    def of_crop(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The same of an aligned crop, whose landmarks are those of the template.

        Beyond its edges the crop goes on as it ends, so that no black comes in.
        """
        padded = np.pad(crop, ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), mode="edge")
        return self.of_photo(partial(align, padded), TEMPLATE + _MARGIN, crop)


_MARGIN = 16
"""Pixels; farther does no landmark move a corner."""


def jitter_columns(method: Method, jittered: NDArray[np.uint8]) -> Mapping[str, Tensor]:
    """`JITTER_COLUMNS` of N faces by `jittered`, uint8 `[N, copies, 112, 112, 3]`: `[N]` each.

    Mean and standard deviation (of a sample: by copies - 1) of the qualities of the copies; nan
    where one of them is not finite.
    """
    # One copy of every face at a time: batches of the size that the method likes.
    copies = torch.from_numpy(jittered).permute(1, 0, 4, 2, 3)
    qualities = torch.stack([method.score(crops).quality for crops in copies]).double()
    values = (qualities.mean(0), qualities.std(0))
    return dict(zip(JITTER_COLUMNS, values, strict=True))
