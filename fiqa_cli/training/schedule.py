"""The length of a training run and the course of its learning rate."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how fast to train; rates fall by a cosine after a linear warm-up."""

    steps: int
    batch: int
    warm_up: int = 200
    average: float = 0.998
    """Decay of the exponential moving average of the weights, which is what is kept."""
    seed: int = 1

    def factor(self, step: int) -> float:
        """Share of the full learning rate at a step."""
        rise = min(1.0, (step + 1) / self.warm_up)
        return rise * 0.5 * (1 + math.cos(math.pi * step / self.steps))

    def decay(self, step: int) -> float:
        """Decay of the average at a step: lower at first, to forget the first weights soon."""
        return min(self.average, (step + 1) / (step + 10))
