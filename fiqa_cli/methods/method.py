"""What every FIQA method is to the pipeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Scores:
    """The result for N crops."""

    quality: Tensor
    """`[N]` float32 on the CPU; higher means more useful to a recogniser."""
    components: Mapping[str, Tensor] = field(default_factory=dict)
    """Named parts of the quality, each `[N]` float32 on the CPU."""


class Method(Protocol):
    """Anything that scores a batch of crops; it knows no files.

    A package of its own adds one through an entry point of the group `fiqa.methods`: a callable
    `(device: torch.device, precision: Precision, batch_size: int | None) -> Method`.
    """

    name: str
    precision: str
    """The arithmetic in use, as the manifest states it: fp32, bf16 or fp16."""
    batch_size: int
    """How many crops the method likes to get at once."""
    components: Sequence[str]
    """Names of the components that its scores come with."""

    def score(self, crops: Tensor) -> Scores:
        """Score aligned RGB crops, uint8 `[N, 3, 112, 112]`, N ≥ 1."""
