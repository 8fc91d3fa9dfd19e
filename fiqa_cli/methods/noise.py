"""Reproducible noise: a face gets the same wherever, whenever and beside whomever it is scored."""

import hashlib

import numpy as np
import torch
from torch import Tensor


def generator(content: bytes, seed: int, copy: int) -> np.random.Generator:
    """The random numbers of copy number `copy` of a crop whose pixels are `content`.

    They depend on the three alone: on no batch, order, worker or device. Philox is counter-based,
    so that the streams of different keys have nothing in common.
    """
    key = hashlib.blake2b(content, digest_size=16, key=f"{seed}/{copy}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def normal(crop: Tensor, seed: int, copy: int, count: int) -> Tensor:
    """Standard normal noise, `count` draws, for one copy of a crop: float32 `[count, 3, H, W]`."""
    numbers = generator(crop.numpy().tobytes(), seed, copy)
    draws = numbers.standard_normal((count, *crop.shape), np.float32)
    return torch.from_numpy(draws)


def uniform(crop: Tensor, seed: int, copy: int) -> Tensor:
    """Uniform noise in [-1, 1) for one copy of a crop, uint8 `[3, H, W]`: float32 of that shape."""
    draws = generator(crop.numpy().tobytes(), seed, copy).random(crop.shape, np.float32)
    return torch.from_numpy(draws).mul_(2).sub_(1)
