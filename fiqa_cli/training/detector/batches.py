"""Batches of canvases, each a function of the seed and the step alone."""

import os
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fiqa_cli.training.detector.answers import Answers, TeacherHead, readable
from fiqa_cli.training.detector.assignment import make_anchors
from fiqa_cli.training.detector.augmentation import (
    LEAST_FACE,
    STYLES,
    Image,
    Sources,
    Style,
    compose_canvas,
    degrade_canvas,
)
from fiqa_cli.training.detector.labels import Faces
from fiqa_cli.training.detector.loss import Target
from fiqa_cli.training.detector.negatives import sample_pictures
from fiqa_cli.training.detector.phases import PHASES, Phase
from fiqa_cli.training.detector.photos import LONGEST, photo_names, read_photo
from fiqa_cli.training.detector.teacher import LEAST_SCORE, settle
from fiqa_cli.training.detector.teacher_memory import TeacherMemory

CANVASES = 16
"""Of 320 pixels in a batch."""
SHAPES = ((320, 1), (448, 2), (640, 4))
"""Canvas side in pixels, and how many of the smallest one of them replaces: they have about the
same number of pixels."""


class Batch(NamedTuple):
    """Canvases and what they demand."""

    images: Tensor
    """`[N, 3, S, S]` uint8 RGB, channels last in memory."""
    targets: list[Target]
    features: list[Tensor] | None = None
    """`[N, C, H, W]` of each level: the teacher's last features, if it is to be imitated."""
    answers: Answers | None = None
    """The teacher's, if they are what is to be learnt."""
    readable: Tensor | None = None
    """`[N, A]` bool: where its answers hold."""

    def to(self, device: torch.device) -> "Batch":
        """The same on another device."""
        targets = [Target(*(value.to(device) for value in target)) for target in self.targets]
        features = [level.to(device) for level in self.features] if self.features else None
        answers = Answers(*(value.to(device) for value in self.answers)) if self.answers else None
        readable = None if self.readable is None else self.readable.to(device)
        return Batch(self.images.to(device), targets, features, answers, readable)


def load_sources(
    folder: Path,
    names: list[str],
    labels: dict[str, Faces],
    hard: Collection[str] = (),
    crops: Path | None = None,
) -> Sources:
    """Decode photos, negatives and crops into memory (at most 1.2 MB a photo, 38 kB a crop).

    What the teacher scores below `LEAST_SCORE` is background. Hard photos are those named in
    `hard` or, if there are none, those that `is_hard` chooses.
    """
    paths = [crops / name for name in photo_names(crops)] if crops else []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        photos = list(pool.map(lambda name: read_photo(folder / name, LONGEST), names))
        pasted = list(pool.map(read_photo, paths))
    faces = [labels[name].select(labels[name].scores >= LEAST_SCORE) for name in names]
    chosen = [name in hard for name in names] if hard else [is_hard(f) for f in faces]
    return Sources(photos, faces, sample_pictures(), np.flatnonzero(chosen), pasted)


def is_hard(faces: Faces) -> bool:
    """Whether a photo shows several sure faces, or one of which the teacher is less sure."""
    sure = faces.scores[faces.scores >= 0.5]
    return len(sure) > 1 or bool((sure < 0.72).any())


@dataclass(frozen=True)
class CanvasBatches:
    """Batch number `step` of a phase, for any step and in any order."""

    sources: Sources
    seed: int
    styles: tuple[Style, Style]
    """Of the canvases before the step `closing`, and from there on."""
    closing: int
    sure: float = 0.5
    """Least teacher score of a face that must be found."""
    canvases: int = CANVASES
    """Of 320 pixels in a batch; of the larger ones fewer."""
    memory: TeacherMemory | None = None
    """What the teacher makes of a pool of batches; canvases then come from that pool alone, in a
    new order and newly degraded at every round."""
    head: TeacherHead | None = None
    """Reads the teacher's answers from its memory."""

    def compose(self, index: int) -> list[tuple[Image, Faces]]:
        """The canvases of batch `index` and their faces, before they are degraded."""
        import cv2

        cv2.setNumThreads(0)
        rng = np.random.default_rng([self.seed, index])
        style = self.styles[index >= self.closing]
        size, share = SHAPES[int(rng.choice(len(SHAPES), p=style.sizes))]
        count = max(1, self.canvases // share)
        return [compose_canvas(self.sources, size, style, rng) for _ in range(count)]

    def __getitem__(self, step: int) -> Batch:
        index, features, judged = step, None, None
        if self.memory:
            index = self.memory.index(step, self.seed)
            features, judged = self.memory.load(index)
        style = self.styles[index >= self.closing]
        rng = np.random.default_rng([self.seed, step, 1])
        images, targets, factors = [], [], []
        for number, (canvas, faces) in enumerate(self.compose(index)):
            if judged:
                faces = settle(faces, judged[number])
            image, seen, factor = degrade_canvas(canvas, faces, style, rng, self.sure)
            images.append(image)
            factors.append(factor)
            targets.append(
                Target(
                    torch.from_numpy(seen.boxes),
                    torch.from_numpy(seen.landmarks.reshape(-1, 10)),
                    torch.from_numpy(seen.scores >= self.sure),
                )
            )
        if not (self.head and features):
            return Batch(to_tensor(images), targets, features)
        answers = self.head(features)
        anchors = make_anchors(*images[0].shape[:2])
        held = readable(answers, anchors, factors, LEAST_FACE)
        return Batch(to_tensor(images), targets, features, answers, held)


@dataclass(frozen=True)
class Turns:
    """Batches of several kinds, taken in turn."""

    kinds: Sequence[CanvasBatches]

    def __getitem__(self, step: int) -> Batch:
        round_, kind = divmod(step, len(self.kinds))
        return self.kinds[kind][round_]


def canvas_styles(phase: Phase) -> list[Style]:
    """The styles of a phase's canvases: before its closing part and in it, or of each pool."""
    pools = [PHASES[number].styles[0] for number in phase.answers]
    return [STYLES[name] for name in pools or phase.styles]


def in_turn(
    sources: Sources,
    seed: int,
    styles: Sequence[Style],
    memories: Sequence[TeacherMemory],
    head: TeacherHead,
    canvases: int = CANVASES,
) -> Turns:
    """The batches of several memories, each of canvases of one style, with the answers to them."""
    return Turns(
        [
            CanvasBatches(
                sources, seed, (style, style), 0, canvases=canvases, memory=memory, head=head
            )
            for style, memory in zip(styles, memories, strict=True)
        ]
    )


def to_tensor(images: list[Image]) -> Tensor:
    """Stack BGR images `[S, S, 3]` into `[N, 3, S, S]` RGB, channels last in memory."""
    return torch.from_numpy(np.stack(images)[..., ::-1].copy()).permute(0, 3, 1, 2)
