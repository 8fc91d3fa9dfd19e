"""Everything that decides the weights of a detector."""

from dataclasses import dataclass
from typing import ClassVar

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.detector.batches import CANVASES
from fiqa_cli.training.detector.train import Course

ALONE = 0.25
"""Part of the steps in which each part of the student learns for itself."""


@dataclass(frozen=True, kw_only=True)
class DetectorRecipe:
    """What `fiqa train detector` can be told; the defaults are those of `scrfd-n`."""

    command: ClassVar[str] = "detector"

    photos: str
    """Folder of photos, searched recursively."""
    teacher: str
    """A detector of the registry, the folder of an insightface package, or an ONNX file."""
    steps: int = 12_000
    """Batches to train on."""
    batch: int = CANVASES
    """Canvases of 320 pixels in a step; of larger ones fewer."""
    crops: str = ""
    """Folder of aligned faces, which are pasted into canvases as those of the photos are."""
    held_out: float = 0.1
    """Part of the photos on which the finished detector is measured."""
    monitored: float = 0.05
    """Part of the photos that tells, with some trained on, which raw score becomes 0.5."""
    false_alarms: float = 0.05
    """False boxes at a score of 0.5, at most, of a monitored photo and of one trained on."""
    seed: int = 2026

    def __post_init__(self) -> None:
        if self.batch < 1 or self.steps < 1:
            raise FiqaError("--batch and --steps are above 0")
        if not (self.held_out >= 0 and self.monitored >= 0 and self.held_out + self.monitored < 1):
            raise FiqaError("--held-out and --monitored are parts of the photos: below 1 together")

    def course(self, has_parts: bool) -> Course:
        """How the training goes with a teacher that shows what its parts put out, or does not."""
        return Course(self.steps, round(ALONE * self.steps) if has_parts else 0, self.seed)
