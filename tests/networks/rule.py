"""The rule that fills the official networks and makes their golden inputs, without any file."""

import zlib

import numpy as np
import torch
from torch import Tensor, nn


def fill(network: nn.Module, salt: int = 0) -> nn.Module:
    """Give every weight the value that its official name and `salt` determine; eval mode."""
    state = {}
    for name, value in network.state_dict().items():
        last = name.rsplit(".", 1)[-1]
        shape = tuple(value.shape)
        r = np.random.default_rng(zlib.crc32(name.encode()) + salt)
        if last == "num_batches_tracked":
            continue
        if last == "running_mean":
            array = r.normal(0, 0.1, shape)
        elif last == "running_var":
            array = r.uniform(0.5, 1.5, shape)
        elif last == "bias":
            array = r.normal(0, 0.05, shape)
        elif last == "g":
            array = r.uniform(0.8, 1.2, shape)
        elif len(shape) == 1:
            low, high = (0.2, 0.3) if "prelu" in name or "bn3" in name else (0.8, 1.2)
            array = r.uniform(low, high, shape)
        else:
            array = r.normal(0, 1, shape) / np.sqrt(np.prod(shape[1:]))
        state[name] = torch.from_numpy(np.asarray(array)).to(value.dtype)
    network.load_state_dict(state, strict=False)
    return network.eval()


def crops(salt: int = 0) -> np.ndarray:
    """Four blocky crops, uint8 `[4, 112, 112, 3]` RGB."""
    blocks = np.random.default_rng(salt + 1).integers(0, 256, (4, 14, 14, 3))
    return np.kron(blocks, np.ones((1, 8, 8, 1))).astype(np.uint8)


def inputs(salt: int = 0) -> Tensor:
    """The same crops as the official preprocessing makes them, float32 `[4, 3, 112, 112]`."""
    pixels = torch.from_numpy(crops(salt)).permute(0, 3, 1, 2).float()
    return (pixels / 255 - 0.5) / 0.5
