"""The length of a training run and the course of its learning rate."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Self

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.precision import Precision
from fiqa_cli.training.batches import batches_of_epoch


class Decay(StrEnum):
    """The course of the learning rates after the warm-up."""

    CONSTANT = "constant"
    COSINE = "cosine"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast to train: what the recipes of all networks share."""

    command: ClassVar[str] = ""
    """What `fiqa train` calls it, and the table of its TOML."""

    epochs: float = 1
    """How often each picture is seen."""
    steps: int = 0
    """Batches to train on; 0: as many as `epochs` come to."""
    batch: int
    """Pictures of a step, over all processes."""
    accumulate: int = 1
    """Parts in which a batch is computed, one after another: more need less memory."""
    warm_up: int = 0
    """Steps in which the rates rise from nothing."""
    decay: Decay = Decay.CONSTANT
    average: float = 0.0
    """Decay of the exponential moving average of the weights, which is what is kept; 0: none."""
    weight_decay: float = 0.0
    """Of AdamW; 0: plain Adam."""
    clip: float = 0.0
    """Gradients that are longer are shortened to this; 0: none are."""
    precision: Precision = Precision.FP32
    """Arithmetic of the passes; weights stay in fp32."""
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.average < 1:
            raise FiqaError(f"--average is a decay in [0, 1), not {self.average}")
        if self.batch < 1 or self.steps < 0 or self.epochs <= 0:
            raise FiqaError("--batch and --epochs are above 0, and --steps is not below")

    def over(self, rows: int) -> Self:
        """This schedule with its `steps` told, for so many pictures."""
        steps = self.steps or round(self.epochs * batches_of_epoch(rows, self.batch))
        return replace(self, steps=max(1, steps))

    def factor(self, step: int) -> float:
        """Share of the full learning rate at a step, `steps` being told."""
        rise = min(1.0, (step + 1) / self.warm_up) if self.warm_up else 1.0
        if self.decay is Decay.CONSTANT:
            return rise
        return rise * 0.5 * (1 + math.cos(math.pi * step / self.steps))

    def average_decay(self, step: int) -> float:
        """Decay of the average at a step: lower at first, to forget the first weights soon."""
        return min(self.average, (step + 1) / (step + 10))
