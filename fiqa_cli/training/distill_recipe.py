"""The recipe of a distillation."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.labels import BEST_FRACTION, EPSILON, FEWEST
from fiqa_cli.training.schedule import Schedule

STABILITY = "stability"
EXPECTED = "expected"
EMBEDDED = (STABILITY, EXPECTED)
"""Labels that come from embeddings and not from a report."""


class Loss(StrEnum):
    """What the quality is held to."""

    OPTIMISED = "optimised"
    L1 = "l1"


class Head(StrEnum):
    """What makes a quality of an embedding."""

    MLP = "mlp"
    LINEAR = "linear"


@dataclass(frozen=True, kw_only=True)
class DistillRecipe(Schedule):
    """Everything that decides the weights; the defaults are the official recipe of eDifFIQA."""

    command: ClassVar[str] = "distill"

    data: tuple[str, ...]
    labels: str
    """A report of `fiqa score`; `STABILITY`: what degradation does to the embeddings; `EXPECTED`:
    how similar to its identity a picture can be expected to be."""
    recogniser: str = ""
    """The frozen recogniser; '': the backbone before it was trained."""
    backbone: str
    """Where training begins: a recogniser, or a quality model."""
    loss: Loss = Loss.OPTIMISED
    head: Head = Head.MLP
    epochs: float = 3
    """One in the official recipe of DifFIQA(R)."""
    batch: int = 128
    best: float = BEST_FRACTION
    """β: the best part of all images, whose embeddings make the class centres."""
    fewest: int = FEWEST
    """Images of the best part that an identity needs to have a centre; others are dropped."""
    epsilon: float = EPSILON
    """ε: how much the distance to the class centre lowers a label."""
    theta: float = -1.0
    """θ: share of representation consistency in the loss; below 0: 0.5, with `Loss.L1` 0."""
    validation: float = 0.1
    """Part of the labelled images, evenly spread over the qualities, that is not trained on."""
    head_rate: float = 1e-3
    backbone_rate: float = 1e-4
    trained: int = 100
    """The last parameters (tensors) of the backbone, which are trained; 0: all."""
    thaw: int = 0
    """Step from which on all parameters are trained; 0: never."""
    clip: float = 5.0
    mirror: bool = False
    """Whether half of the pictures are mirrored."""
    copies: int = 0
    """Degraded copies of each crop, where labels are `EMBEDDED`."""
    held_out: int = 0
    """Identities that are not trained on, where labels are `EMBEDDED`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.labels not in EMBEDDED and (self.copies or self.held_out):
            raise FiqaError(
                "--copies and --held-out go with --labels stability or expected: to teach by a "
                "report, write degraded images as files and score them too"
            )
        if self.labels in EMBEDDED and self.loss is Loss.OPTIMISED:
            raise FiqaError(f"--labels {self.labels} are optimised already: give --loss l1")
        if self.labels == STABILITY and not self.copies:
            raise FiqaError("--labels stability compares degraded copies: give --copies 2 or so")
        if not (0 <= self.validation < 1 and 0 < self.best <= 1 and self.theta <= 1):
            raise FiqaError("--validation, --best and --theta are parts of 1")

    @property
    def consistency(self) -> float:
        """θ, with its default."""
        if self.theta >= 0:
            return self.theta
        return 0.5 if self.loss is Loss.OPTIMISED else 0.0
