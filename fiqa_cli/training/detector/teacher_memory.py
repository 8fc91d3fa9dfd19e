"""The teacher's features of a pool of canvases, kept on disk: it costs more than the student."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class TeacherMemory:
    """Features of the batches 0 … `pool` − 1, one float16 file each."""

    folder: Path
    pool: int

    def index(self, step: int, seed: int) -> int:
        """The batch of the pool for a step: every one once a round, in an order drawn anew."""
        turn, place = divmod(step, self.pool)
        return int(np.random.default_rng([seed, turn, 2]).permutation(self.pool)[place])

    def path(self, index: int) -> Path:
        """The file of batch `index`."""
        return self.folder / f"{index:06d}.npz"

    def load(self, index: int) -> list[Tensor]:
        """Features float16 `[N, C, H, W]` of each level. Raises `FileNotFoundError`."""
        with np.load(self.path(index)) as stored:
            return [torch.from_numpy(stored[name]) for name in stored.files]

    def store(self, index: int, features: list[NDArray[np.float32]]) -> None:
        """Write the features of each level, atomically."""
        part = self.folder / f"{index:06d}.part.npz"
        levels = [level.astype(np.float16) for level in features]
        np.savez(part, *levels)
        part.replace(self.path(index))
