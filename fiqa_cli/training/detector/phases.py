"""The recipe of each phase of a detector's training."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Phase:
    """What decides the weights of a phase."""

    steps: int = 8400
    rate: float = 2e-3
    """Peak learning rate of AdamW."""
    warmup: int = 200
    decay: float = 0.66
    """Last part of the steps in which the learning rate falls linearly to zero."""
    weight_decay: float = 0.02
    average: float = 0.998
    """Decay per step of the exponential moving average of the weights."""
    closing: int = 2800
    """First step of the closing part: canvases closer to real photos, heavier landmarks."""
    styles: tuple[str, str] = ("varied", "close")
    """Canvases (`STYLES`) before the closing part and in it."""
    landmark_weights: tuple[float, float] = (5.0, 15.0)
    """Weight of the landmark loss before the closing part and in it."""
    imitation: float = 0.0
    """Weight of the distance to the teacher's features; 0: they are not needed."""
    answers: tuple[int, ...] = ()
    """Phases on whose pools, taken in turn, the teacher's answers at every anchor are learnt in the
    place of faces."""
    undecided: float = 0.0
    """How much more answers weigh where the teacher is hardly surer than not (`answer_loss`)."""
    depth: int = 0
    """How often blocks were added to the network (`Scrfd`)."""
    width: int = 0
    """How often channels were added to it."""
    bf16: bool = False
    """Whether the network computes in bfloat16; its weights stay in fp32."""
    seed: int = 2026

    def rate_at(self, step: int) -> float:
        """Learning rate of step `step`, counted from 0: rise, plateau, fall."""
        rise = (step + 1) / self.warmup
        fall = (self.steps - step) / (self.decay * self.steps)
        return self.rate * min(1.0, rise, fall)


PHASES = {
    1: Phase(),
    2: Phase(
        steps=4000,
        rate=1.5e-3,
        decay=0.95,
        closing=2600,
        styles=("close", "near"),
        landmark_weights=(15.0, 15.0),
        depth=1,
    ),
    3: Phase(
        steps=800,
        rate=8e-4,
        warmup=50,
        decay=0.95,
        average=0.995,
        closing=0,
        styles=("near", "near"),
        landmark_weights=(30.0, 30.0),
        depth=1,
    ),
    4: Phase(
        steps=7500,
        rate=1.5e-3,
        decay=0.95,
        closing=5000,
        styles=("near", "near"),
        landmark_weights=(15.0, 30.0),
        imitation=4.0,
        depth=2,
    ),
    5: Phase(
        steps=1500,
        rate=5e-4,
        warmup=50,
        decay=0.95,
        average=0.995,
        closing=0,
        styles=("mined", "mined"),
        landmark_weights=(30.0, 30.0),
        depth=2,
    ),
    6: Phase(
        steps=5000,
        rate=1e-3,
        warmup=100,
        decay=0.95,
        average=0.997,
        closing=0,
        styles=("crowded", "crowded"),
        landmark_weights=(30.0, 30.0),
        imitation=4.0,
        depth=2,
    ),
}
PHASES[7] = replace(PHASES[5], steps=1200)
PHASES[8] = Phase(
    steps=7600,
    rate=1.5e-3,
    decay=0.95,
    closing=0,
    landmark_weights=(30.0, 30.0),
    imitation=2.0,
    answers=(6, 4),
    depth=2,
    width=1,
)
PHASES[9] = replace(
    PHASES[8],
    steps=2000,
    rate=6e-4,
    warmup=50,
    average=0.997,
    styles=("whole", "whole"),
    answers=(9, 6),
)
PHASES[10] = replace(
    PHASES[8],
    steps=10500,
    rate=1e-3,
    styles=("matched", "matched"),
    answers=(10,),
    undecided=3.0,
)
PHASES[11] = replace(
    PHASES[10],
    steps=14000,
    rate=1.5e-3,
    decay=0.66,
    landmark_weights=(20.0, 20.0),
    imitation=1.0,
    styles=("truer", "truer"),
    answers=(11,),
    depth=3,
    bf16=True,
)
"""By number. The first begins with random weights, each other one with those of the phase before
it, the eighth with the mean of the two before; blocks that are new start as the identity, channels
that are new unheard."""

POOLS = {4: 2000, 6: 1800, 9: 1800, 10: 3000, 11: 4000}
"""Batches of canvases, all of the phase's first style, of which the teacher's features are kept;
about 4 MB each."""


def same_so_far(first: Phase, second: Phase, done: int) -> bool:
    """Whether two phases are equal or differ only in what happens after `done` steps."""
    past = [
        [(phase.rate_at(step), step >= phase.closing) for step in range(done)]
        for phase in (first, second)
    ]
    first, second = (replace(each, steps=0, decay=0.0, closing=0) for each in (first, second))
    return past[0] == past[1] and first == second
