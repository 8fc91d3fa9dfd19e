"""The stops of the slider: cuts at which the page knows exactly what stays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.records.scores import Scores

MOST = 10_000
"""Up to so many different qualities each is a stop."""


@dataclass(frozen=True, slots=True, eq=False)
class Stops:
    """S cuts, rising, and how much stays at each with that quality or more."""

    quality: NDArray[np.float64]
    """`[S]`, qualities that occur."""
    faces: NDArray[np.int64]
    """`[S]`, faces kept."""
    images: NDArray[np.int64]
    """`[S]`, images with a face that is kept."""
    folders: NDArray[np.int64]
    """`[S]`, folders with such an image."""
    all: bool
    """Whether every quality that occurs is a stop."""


def stops_of(scores: Scores, always: list[float]) -> Stops:
    """The stops of a report, among them the qualities `always`.

    Of more than `MOST` qualities, half as many equally spaced in rank and as many in quality.
    """
    scored = scores.scored
    quality = np.sort(scores.quality[scored])
    cuts = np.unique(quality)
    if whole := len(cuts) <= MOST:
        chosen = cuts
    else:
        by_rank = quality[np.linspace(0, len(quality) - 1, MOST // 2).astype(np.int64)]
        places = np.searchsorted(cuts, np.linspace(cuts[0], cuts[-1], MOST // 2))
        chosen = np.unique(np.concatenate([by_rank, cuts[places], always]))
    return Stops(
        quality=chosen,
        faces=_from(quality, chosen),
        images=_from(_best(scores.image[scored], scores.quality[scored]), chosen),
        folders=_from(_best(scores.folder[scored], scores.quality[scored]), chosen),
        all=whole,
    )


def _best(groups: NDArray[np.integer], quality: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best quality of each group, rising."""
    order = np.lexsort((quality, groups))
    ends = np.append(groups[order][1:] != groups[order][:-1], True)
    return np.sort(quality[order][ends])


def _from(rising: NDArray[np.float64], cuts: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many are each of the cuts or more."""
    return np.asarray(len(rising) - np.searchsorted(rising, cuts), np.int64)
