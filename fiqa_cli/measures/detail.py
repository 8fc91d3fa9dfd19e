"""Fine detail of a crop: how much of it there is, and how much of it is noise.

Grey levels are whole numbers in float32, and sums over them, in float64, are exact: a crop
measures the same in any batch.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def grey_levels(crops: Tensor) -> Tensor:
    """Luma of ITU-R BT.601, rounded: uint8 `[N, 3, H, W]` RGB to float32 `[N, H, W]`.

    In the whole-number arithmetic of OpenCV: weights of 2**-15.
    """
    weights = torch.tensor((9798.0, 19235.0, 3735.0))
    weighted = crops.permute(0, 2, 3, 1).float() @ weights  # below 2**24, hence exact
    return ((weighted + 2**14) / 2**15).floor_()


def sharpness(grey: Tensor) -> Tensor:
    """Variance of the Laplacian (Pech-Pacheco et al., ICPR 2000), grey levels squared: `[N]`.

    Of grey levels `[N, H, W]`: the same number as `cv2.Laplacian(grey, cv2.CV_64F).var()`, the
    kernel being [[0, 1, 0], [1, -4, 1], [0, 1, 0]] and borders mirrored. 0 for a flat crop; noise
    counts as sharpness.
    """
    padded = F.pad(grey, (1, 1, 1, 1), mode="reflect")
    across = padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    along = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1]
    return variance(across + along - 4 * grey)


def noise(grey: Tensor) -> Tensor:
    """Standard deviation of the noise in grey levels, `[N]`; fine texture counts as noise.

    Immerkær's estimate (CVIU 1996), for the pixels and for their means over 2x2 if that is more:
    noise that was enlarged with its image hardly differs between neighbours. Of `[N, H, W]`, both
    even.
    """
    rows = grey[:, ::2] + grey[:, 1::2]
    blocks = rows[:, :, ::2] + rows[:, :, 1::2]
    # The mean of four independent pixels varies half as much, and their sum twice as much.
    return torch.maximum(_immerkaer(grey), _immerkaer(blocks) / 2)


def _immerkaer(grey: Tensor) -> Tensor:
    """Deviation of white noise, by a mask that is blind to planes and to edges along the grid:

    [[1, -2, 1], [-2, 4, -2], [1, -2, 1]], of which the mean size is taken.
    """
    across = grey[:, :, :-2] - 2 * grey[:, :, 1:-1] + grey[:, :, 2:]
    left = across[:, :-2] - 2 * across[:, 1:-1] + across[:, 2:]
    mean = left.abs().flatten(1).double().mean(1)
    return (mean * math.sqrt(math.pi / 2) / 6).float()


def variance(values: Tensor) -> Tensor:
    """Variance of each of whole numbers `[N, H, W]`, in float32 `[N]`."""
    rows = values.flatten(1).double()
    count = rows.shape[1]
    squares: Tensor = torch.linalg.vecdot(rows, rows)
    spread = count * squares - rows.sum(1).square()
    return (spread / count**2).float()
