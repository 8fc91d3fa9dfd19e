"""Sharpness of the crop, a baseline: variance of the Laplacian (Pech-Pacheco et al., ICPR 2000)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from fiqa_cli.methods.method import Scores

BATCH = 64


class Sharpness:
    """Variance of the Laplacian [[0, 1, 0], [1, -4, 1], [0, 1, 0]] of the grey crop.

    The same number as `cv2.Laplacian(grey, cv2.CV_64F).var()`, borders mirrored and grey levels
    rounded to whole ones as there. 0 for a flat crop; noise counts as sharpness.
    """

    name = "sharpness"
    precision: str = "fp32"
    components: Sequence[str] = ()

    def __init__(self, batch_size: int | None = None) -> None:
        self.batch_size = batch_size or BATCH

    def score(self, crops: Tensor) -> Scores:
        """Score aligned RGB crops, uint8 `[N, 3, 112, 112]`; quality in grey levels squared."""
        # All whole numbers until the variance, which float32 holds exactly.
        grey = F.pad(grey_levels(crops).float(), (1, 1, 1, 1), mode="reflect")
        centre = grey[:, 1:-1, 1:-1]
        across = grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
        along = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1]
        laplacian = (across + along - 4 * centre).flatten(1).double()
        return Scores(laplacian.var(1, correction=0).float())


def grey_levels(crops: Tensor) -> Tensor:
    """Luma of ITU-R BT.601, rounded: uint8 `[N, 3, H, W]` RGB to int32 `[N, H, W]`.

    In the whole-number arithmetic of OpenCV: weights of 2**-15.
    """
    red, green, blue = crops.to(torch.int32).unbind(1)
    return (9798 * red + 19235 * green + 3735 * blue + (1 << 14)) >> 15
