"""Similarity thresholds at a false match rate (FMR).

The threshold at FMR f is the lowest t with |{non-mated similarity >= t}| <= f * n: the next float
above the similarity that ranks floor(f * n) + 1. A quantile interpolated between two similarities
can exceed f, by much where similarities are tied.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.ranks import kth_largest

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

ROUNDING = 1e-9
"""Added before rounding down, as 0.29 * 100 is less than 29."""


def threshold_at(impostors: Floats, fmr: float) -> float:
    """The threshold at `fmr` in (0, 1) of non-mated similarities `[N]`.

    Raises `FiqaError` if `fmr` is below 1/N, where the similarities say nothing.
    """
    allowed = math.floor(fmr * len(impostors) + ROUNDING)
    if allowed < 1:
        raise FiqaError(
            f"FMR {fmr:g} needs {math.ceil(1 / fmr - ROUNDING):,} non-mated pairs or more, "
            f"there are {len(impostors):,}: add pairs or raise the FMR"
        )
    place = len(impostors) - 1 - allowed
    return _just_above(np.partition(impostors, place)[place])


def weighted_threshold(descending: Floats, weights: Counts, fmr: float) -> float:
    """As `threshold_at` for falling similarities `[N]`, each as often as its weight.

    Resamples are small at times: where `fmr` allows no match, no similarity matches.
    """
    matches = np.cumsum(weights)
    allowed = math.floor(fmr * matches[-1] + ROUNDING)
    place = int(np.searchsorted(matches, allowed, side="right"))
    return _just_above(descending[place])


def thresholds_of_rest(
    similarity: Floats, starts: Counts, fmr: float, weights: Counts | None = None
) -> Floats:
    """The thresholds `[K]` at `fmr` of `similarity[starts[k]:]`, for rising `starts`.

    Where fewer than 1/`fmr` are left, the last threshold that could be found holds on.
    """
    left = len(similarity) - starts
    if weights is not None:
        left = np.append(np.cumsum(weights[::-1])[::-1], 0)[starts]
    allowed = np.floor(fmr * left + ROUNDING).astype(np.int64)
    known = max(int(np.count_nonzero(allowed)), 1)
    ends = np.full(known, len(similarity))
    found = kth_largest(similarity, starts[:known], ends, allowed[:known], weights)
    held = np.minimum(np.arange(len(starts)), known - 1)
    return np.nextafter(found, np.inf)[held]


def _just_above(similarity: np.float64) -> float:
    return float(np.nextafter(similarity, np.inf))
