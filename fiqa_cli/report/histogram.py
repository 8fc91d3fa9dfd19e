"""The histogram of a report's page: its bars and the ticks of its axis."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST, MOST = 12, 80
"""Bars."""

TAIL = 0.001
"""Share of the qualities on each side that may lie far out without stretching the axis."""


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """B bars of equal width from `low` to `high`; the outer ones hold what lies beyond, too."""

    low: float
    high: float
    counts: NDArray[np.int64]
    """`[B]`"""

    @property
    def decimals(self) -> int:
        """Decimals that tell apart a thousandth of the axis."""
        return max(0, math.ceil(-math.log10((self.high - self.low) / 1000)))

    def text(self, quality: float) -> str:
        """A quality with these decimals."""
        return f"{quality:.{self.decimals}f}"

    def place(self, quality: float) -> float:
        """Where a quality lies on the axis, from 0 to 100; what lies beyond is at its end."""
        share = (quality - self.low) / (self.high - self.low)
        return 100 * min(max(share, 0.0), 1.0)


def histogram_of(quality: NDArray[np.float64]) -> Histogram:
    """The histogram of qualities `[N]`, N > 0."""
    least, most = float(quality.min()), float(quality.max())
    low, high = (float(bound) for bound in np.quantile(quality, [TAIL, 1 - TAIL]))
    body = high - low
    # A few far ones would press all others into one bar.
    if low - least <= body / 2:
        low = least
    if most - high <= body / 2:
        high = most
    if not high > low:
        margin = max(abs(low) / 10, 0.05)
        low, high = low - margin, high + margin
    bars = min(max(round(math.sqrt(len(quality))), FEWEST), MOST)
    counts, _ = np.histogram(np.clip(quality, low, high), bars, (low, high))
    return Histogram(low, high, counts)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from `low` to `high`, evenly spaced, `most` and one more at most."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
