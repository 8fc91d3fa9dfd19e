"""A training that is ready to begin."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.training.loop import Task
from fiqa_cli.training.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Architecture:
    """What the weights are of, in the words of `fiqa_cli.zoo.model.Model`."""

    method: str
    """Empty for a recogniser."""
    network: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """A task, how long it runs, and what its result is."""

    task: Task
    schedule: Schedule
    architecture: Architecture
    counts: Mapping[str, int]
    """What it trains and validates on, for people."""
    data: str
    """Digest of what it learns from: a run goes on only with the same."""
    folded: bool = False
    """Whether batch normalisations were folded into the convolutions (`folding`)."""


def digest(*arrays: NDArray[Any]) -> str:
    """A short hash of the contents of arrays."""
    joined = hashlib.sha256()
    for array in arrays:
        joined.update(np.ascontiguousarray(array).tobytes())
    return joined.hexdigest()[:16]
