"""Batches of crops, drawn reproducibly from a seed and a step."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def batch_rows(rows: NDArray[np.int64], step: int, batch: int, seed: int) -> NDArray[np.int64]:
    """The rows of one step: a fresh permutation in each epoch, cut into whole batches."""
    per_epoch = len(rows) // batch
    epoch, number = divmod(step, per_epoch)
    order = np.random.default_rng((seed, epoch)).permutation(len(rows))
    return rows[order[number * batch : (number + 1) * batch]]


def mirrored(crops: NDArray[np.uint8], step: int, seed: int) -> NDArray[np.uint8]:
    """Mirror half of the crops `[N, ..., H, W, 3]`, drawn by seed and step."""
    chosen = np.random.default_rng((seed, step, 1)).random(len(crops)) < 0.5
    out = crops.copy()
    out[chosen] = out[chosen][..., ::-1, :]
    return out


def to_input(crops: NDArray[np.uint8]) -> Tensor:
    """Crops `[N, 112, 112, 3]` as the network's input: float `[N, 3, 112, 112]` in [-1, 1].

    The memory stays as it is, channels last.
    """
    values = torch.from_numpy(crops).permute(0, 3, 1, 2)
    return values.float().div_(127.5).sub_(1)
