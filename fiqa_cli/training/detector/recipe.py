"""Everything that decides the weights of a detector."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.detector.batches import CANVASES
from fiqa_cli.training.detector.phases import PHASES, POOLS, Phase


@dataclass(frozen=True, kw_only=True)
class DetectorRecipe:
    """What `fiqa train detector` can be told; with all eleven phases it is that of `scrfd-n`."""

    command: ClassVar[str] = "detector"

    photos: str
    """Folder of photos, searched recursively."""
    teacher: str
    """A detector of the registry, the folder of an insightface package, or an ONNX file."""
    phases: int = 3
    """How many of `PHASES` to train."""
    steps: int = 0
    """Batches in all, shared out over the phases as theirs are; 0: as many as theirs."""
    batch: int = CANVASES
    """Canvases of 320 pixels in a step; of larger ones fewer."""
    crops: str = ""
    """Folder of aligned faces, which the sixth phase and later ones paste into canvases."""
    held_out: float = 0.1
    """Part of the photos on which the finished detector is measured."""
    monitored: float = 0.05
    """Part of the photos that tells which raw score becomes 0.5."""
    false_alarms: float = 0.05
    """False boxes a monitored photo at a score of 0.5, at most."""
    seed: int = 2026

    def __post_init__(self) -> None:
        if self.phases not in PHASES:
            raise FiqaError(f"--phases is one of 1 to {len(PHASES)}, not {self.phases}")
        if self.steps and self.steps < self.phases:
            raise FiqaError(f"--steps {self.steps} does not reach for {self.phases} phases")
        if self.batch < 1 or self.steps < 0:
            raise FiqaError("--batch is above 0, and --steps is not below")
        if not (self.held_out >= 0 and self.monitored >= 0 and self.held_out + self.monitored < 1):
            raise FiqaError("--held-out and --monitored are parts of the photos: below 1 together")
        if any(number > 5 for number in self.numbers) and not self.crops:
            raise FiqaError("the sixth phase pastes aligned faces: name their folder with --crops")

    @property
    def numbers(self) -> range:
        """Of the phases, in order."""
        return range(1, self.phases + 1)

    def plan(self) -> Iterator[tuple[int, Phase, int]]:
        """Number, phase and pool of each phase, with the steps that it gets.

        The pool is the number of batches of which the teacher's features are kept; 0: none are.
        """
        whole = sum(PHASES[number].steps for number in self.numbers)
        share = self.steps / whole if self.steps else 1.0
        for number in self.numbers:
            phase = PHASES[number]
            shared = replace(
                phase,
                steps=max(1, round(share * phase.steps)),
                closing=round(share * phase.closing),
                warmup=max(1, round(min(share, 1.0) * phase.warmup)),
                seed=self.seed,
            )
            pool = max(1, round(min(share, 1.0) * POOLS[number])) if number in POOLS else 0
            yield number, shared, pool
