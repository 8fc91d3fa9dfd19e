"""Batches of canvases and what the teacher makes of them, a function of seed and step alone."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fiqa_cli.training.detector.canvases import Sources, compose_canvas
from fiqa_cli.training.detector.labels import Faces
from fiqa_cli.training.detector.negatives import sample_pictures
from fiqa_cli.training.detector.photos import LONGEST, photo_names, read_photo
from fiqa_cli.training.detector.teacher import Answers, Teacher

CANVASES = 8
"""Of 320 pixels in a batch."""
SHAPES = ((320, 1, 0.15), (448, 2, 0.15), (640, 4, 0.7))
"""Canvas side in pixels, how many of the smallest one of them replaces, and its chance: whatever
the side, a batch has about the same number of pixels."""
DOUBTFUL = 0.3
"""Teacher's score from which a box of a photo may be a face."""


class Batch(NamedTuple):
    """Canvases and what the teacher makes of them."""

    pictures: Tensor
    """`[N, 3, S, S]` RGB, (x − 127.5) / 128, channels last in memory."""
    answers: Answers
    parts: list[Tensor]
    """What each part of the student ought to put out, if the teacher has such parts."""

    def to(self, device: torch.device) -> "Batch":
        """The same on another device."""
        parts = [part.to(device, memory_format=torch.channels_last) for part in self.parts]
        return Batch(self.pictures.to(device), self.answers.to(device), parts)


@dataclass(frozen=True)
class CanvasBatches:
    """Batch number `step` of a training, for any step and in any order."""

    sources: Sources
    teacher: Teacher
    seed: int
    canvases: int = CANVASES
    """Of 320 pixels in a batch; of the larger ones fewer."""

    def __getitem__(self, step: int) -> Batch:
        import cv2

        cv2.setNumThreads(0)
        rng = np.random.default_rng([self.seed, step])
        size, share, _ = SHAPES[int(rng.choice(len(SHAPES), p=[chance for *_, chance in SHAPES]))]
        count = max(1, self.canvases // share)
        canvases = np.stack([compose_canvas(self.sources, size, rng) for _ in range(count)])
        pictures = (torch.from_numpy(canvases[..., ::-1].astype(np.float32)) - 127.5) / 128
        pictures = pictures.permute(0, 3, 1, 2)
        return Batch(pictures, *self.teacher(pictures))


def load_sources(
    folder: Path, names: list[str], labels: dict[str, Faces], crops: Path | None = None
) -> Sources:
    """Decode photos, negatives and crops into memory (at most 1.2 MB a photo, 38 kB a crop)."""
    paths = [crops / name for name in photo_names(crops)] if crops else []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        photos = list(pool.map(lambda name: read_photo(folder / name, LONGEST), names))
        pasted = list(pool.map(read_photo, paths))
    faces = [labels[name].select(labels[name].scores >= DOUBTFUL) for name in names]
    return Sources(photos, faces, sample_pictures(), pasted)
