"""Reproducible noise: a face gets the same wherever, whenever and beside whomever it is scored."""

import hashlib

import numpy as np
import torch
from torch import Tensor


def generator(crop: Tensor, seed: int, copy: int) -> np.random.Generator:
    """The random numbers of copy number `copy` of `crop`, uint8 `[3, H, W]`.

    They depend on the three alone: on no batch, order, worker or device. Philox is counter-based,
    so that the streams of different keys have nothing in common.
    """
    content = crop.numpy().tobytes()
    key = hashlib.blake2b(content, digest_size=16, key=f"{seed}/{copy}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def normal(crop: Tensor, seed: int, copy: int, count: int) -> Tensor:
    """`count` draws of standard normal noise for one copy of a crop: float32 `[count, 3, H, W]`."""
    draws = generator(crop, seed, copy).standard_normal((count, *crop.shape), np.float32)
    return torch.from_numpy(draws)


def uniform(crop: Tensor, seed: int, copy: int) -> Tensor:
    """Uniform noise in [-1, 1) for one copy of a crop: float32 `[3, H, W]`."""
    draws = generator(crop, seed, copy).random(crop.shape, np.float32)
    return torch.from_numpy(draws).mul_(2).sub_(1)
