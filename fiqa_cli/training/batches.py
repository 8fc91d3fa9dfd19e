"""Batches of pictures, drawn reproducibly from a seed and a step."""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fiqa_cli.errors import FiqaError


@dataclass(frozen=True, slots=True)
class Batch:
    """What one process trains on in one step: its share of a batch that all of them draw."""

    step: int
    seed: int
    size: int
    """Pictures of the whole batch."""
    numbers: NDArray[np.int64]
    """The pictures of this process."""
    share: slice
    """Which of the whole batch they are."""

    def rng(self, purpose: int) -> np.random.Generator:
        """A generator that depends on seed, step and `purpose`, the same in all processes.

        What it draws is drawn for the whole batch and then cut to `share`: the batch is the same
        however many processes there are.
        """
        return np.random.default_rng((self.seed, self.step, purpose))


def draw(
    rows: NDArray[np.int64], step: int, size: int, seed: int, rank: int = 0, processes: int = 1
) -> Batch:
    """The batch of a step: a fresh permutation of `rows` in each epoch, cut into whole batches.

    Raises `FiqaError` if there are fewer rows than make a batch.
    """
    epoch, number = divmod(step, batches_of_epoch(len(rows), size))
    order = _order(len(rows), seed, epoch)
    share = slice(rank, None, processes)
    return Batch(step, seed, size, rows[order[number * size : (number + 1) * size]][share], share)


def batches_of_epoch(rows: int, size: int) -> int:
    """Whole batches in so many pictures. Raises `FiqaError` if there is none."""
    if rows < size:
        raise FiqaError(f"{rows} pictures do not fill a batch of {size}: add data or lower --batch")
    return rows // size


@functools.lru_cache(maxsize=2)
def _order(rows: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(rows)


def mirrored(crops: NDArray[np.uint8], batch: Batch) -> NDArray[np.uint8]:
    """Mirror half of the crops `[N, H, W, 3]` of a batch."""
    chosen = batch.rng(1).random(batch.size)[batch.share] < 0.5
    out = crops.copy()
    out[chosen] = out[chosen][..., ::-1, :]
    return out


def channels_first(crops: NDArray[np.uint8]) -> Tensor:
    """Crops `[N, 112, 112, 3]` as a tensor `[N, 3, 112, 112]`; its memory stays channels last."""
    return torch.from_numpy(crops).permute(0, 3, 1, 2)
