"""Partial areas under an error-versus-discard curve (pAUC): one figure for one quality measure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.edc import Curve

Floats = NDArray[np.float64]

LIMITS = (0.2, 0.3)

Kind = Literal["normalised", "raw", "above_best"]
"""Which of the figures of an `Area`."""
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Area:
    """The area under a curve from nothing discarded up to a limit; less is better."""

    limit: float
    """Greatest share of discarded pairs, in (0, 1]."""
    raw: float
    """The area itself."""
    normalised: float
    """raw / (error(0) * limit): 1 for a quality that says nothing; NaN if there is no error."""
    above_best: float
    """raw less the area under max(0, error(0) - discard)."""
    gain: float
    """(1 - normalised) / (1 - normalised of the perfect order): 1 for a quality by which every
    discarded pair is an error while there are any, 0 for one that says nothing; NaN if there is no
    error, or nothing else."""


def pauc(curve: Curve, limits: Sequence[float] = LIMITS) -> tuple[Area, ...]:
    """The areas under `curve` up to each limit, stepwise or linear as the curve is.

    The theoretical best, max(0, error(0) - discard), is the field's: each discarded pair would
    be an error, and rates stay shares of all pairs. Raises `FiqaError` for a limit outside (0, 1].
    """
    start = float(curve.error[0])
    areas = []
    for limit in checked_limits(limits):
        raw = area_under(curve.discard, curve.error, limit, curve.definition.linear)
        normalised = raw / (start * limit) if start else math.nan
        possible = start * limit - perfect_area(start, limit)
        gain = (start * limit - raw) / possible if possible else math.nan
        areas.append(Area(limit, raw, normalised, raw - float(best_area(start, limit)), gain))
    return tuple(areas)


def checked_limits(limits: Sequence[float]) -> Sequence[float]:
    """The limits themselves; raises `FiqaError` for one outside (0, 1]."""
    for limit in limits:
        if not 0 < limit <= 1:
            raise FiqaError(f"a limit of {limit:g} is not within (0, 1]: give a share of pairs")
    return limits


def area_under(discard: Floats, error: Floats, limit: float, linear: bool) -> float:
    """The area from 0 to `limit` below points `[K]` whose discards rise from 0 to 1."""
    inside = int(np.searchsorted(discard, limit))
    x = np.append(discard[:inside], limit)
    if not linear:
        return float(np.diff(x) @ error[:inside])
    y = np.append(error[:inside], np.interp(limit, discard, error))
    return float(np.diff(x) @ (y[1:] + y[:-1]) / 2)


def best_area(start: Floats | float, limit: Floats | float) -> Floats:
    """The area from 0 to `limit` under max(0, start - discard)."""
    reach = np.minimum(start, limit)
    return np.asarray(start * reach - reach**2 / 2)


def perfect_area(start: float, limit: float) -> float:
    """The area from 0 to `limit` under (start - discard) / (1 - discard), as far as above 0.

    That is the error of the perfect order: errors first, rates as shares of the pairs left.
    """
    reach = min(start, limit)
    return reach + (1 - start) * math.log1p(-reach) if reach < 1 else 1.0
