"""What the teacher makes of a pool of canvases, kept on disk: it costs more than the student."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.detector.labels import Faces
from fiqa_cli.training.detector.teacher import Judgement


class TeacherMemory:
    """Features and faces of the batches 0 … `pool` − 1, one file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pool = 0
        """How many batches are there without a gap."""
        while self.path(self.pool).exists():
            self.pool += 1

    def index(self, step: int, seed: int) -> int:
        """The batch of the pool for a step: every one once a round, in an order drawn anew.

        Raises `FiqaError` if the memory is empty.
        """
        if not self.pool:
            raise FiqaError(f"the teacher remembers nothing in {self.folder}: run `remember` first")
        turn, place = divmod(step, self.pool)
        return int(np.random.default_rng([seed, turn, 2]).permutation(self.pool)[place])

    @property
    def channels(self) -> int:
        """Of the features, the same at each level."""
        return int(self.load(0)[0][0].shape[1])

    def path(self, index: int) -> Path:
        """The file of batch `index`."""
        return self.folder / f"{index:06d}.npz"

    def load(self, index: int) -> tuple[list[Tensor], list[Faces]]:
        """Features float16 `[N, C, H, W]` of each level, and the faces of each canvas."""
        with np.load(self.path(index)) as stored:
            columns = [stored[name] for name in ("boxes", "landmarks", "scores")]
            ends = stored["counts"].cumsum()[:-1]
            levels = [torch.from_numpy(stored[name]) for name in stored.files if "level" in name]
        parts = zip(*(np.split(column, ends) for column in columns), strict=True)
        return levels, [Faces(*part) for part in parts]

    def store(self, index: int, judgement: Judgement) -> None:
        """Write what the teacher made of batch `index`, atomically."""
        part = self.folder / f"{index:06d}.part.npz"
        faces = judgement.faces
        np.savez(
            part,
            counts=[len(one) for one in faces],
            boxes=np.concatenate([one.boxes for one in faces]),
            landmarks=np.concatenate([one.landmarks for one in faces]),
            scores=np.concatenate([one.scores for one in faces]),
            **{  # type: ignore[arg-type]
                f"level{number}": level.astype(np.float16)
                for number, level in enumerate(judgement.features)
            },
        )
        part.replace(self.path(index))
