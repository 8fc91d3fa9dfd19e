"""A scale that people can use: where on it a recogniser misses every second pair.

The error of a recogniser depends on the worse face of a pair: with threshold t at a false match
rate, FNMR(q) is the share of mated pairs with similarity below t among those whose worse face has
quality q. An affine map sends the quality with a wished FNMR(q) to 0.5, and the quality that few
undegraded faces exceed to 1. It is strictly monotone, so that no ranking changes, and it goes into
the last linear layer of the network, so that nothing else has to know of it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.thresholds import threshold_at
from fiqa_cli.training.embeddings import normalised

Floats = NDArray[np.float64]

FMR = 1e-3
FNMR = 0.5
TOP = 0.99
BANDWIDTH = 0.04
"""Of the curve's smoothing, in parts of the range of the qualities."""
PLACES = 512


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Mated pairs of a recogniser at one threshold."""

    quality: Floats
    """Of the worse face, `[P]`."""
    missed: NDArray[np.bool_]
    """Whether the similarity is below the threshold, `[P]`."""
    threshold: float
    overall: float
    """FNMR of the pairs of two undegraded faces."""


@dataclass(frozen=True, slots=True, eq=False)
class Misses:
    """FNMR(q), smooth and falling."""

    quality: Floats
    """`[K]`, rising."""
    fnmr: Floats
    """`[K]` in [0, 1]."""

    def quality_at(self, fnmr: float) -> float:
        """The quality whose FNMR is `fnmr`. Raises `FiqaError` if the curve does not come there."""
        if not self.fnmr[-1] < fnmr < self.fnmr[0]:
            raise FiqaError(
                f"an FNMR of {fnmr:.3g} does not occur: over the qualities of these faces it falls "
                f"from {self.fnmr[0]:.3g} to {self.fnmr[-1]:.3g}; wish for one in between"
            )
        return float(np.interp(-fnmr, -self.fnmr, self.quality))


@dataclass(frozen=True, slots=True)
class Scale:
    """The affine map of a quality: `slope * quality + offset`."""

    slope: float
    offset: float

    @classmethod
    def through(cls, half: float, top: float) -> "Scale":
        """The one that sends `half` to 0.5 and `top` to 1. Raises `FiqaError` if it would fall."""
        if not half < top:
            raise FiqaError(
                f"the quality for 0.5, {half:.4g}, is not below that for 1, {top:.4g}: the "
                "recogniser misses too many pairs of good faces; wish for a higher FNMR"
            )
        slope = 0.5 / (top - half)
        return cls(slope, 1 - slope * top)

    def after(self, first: "Scale") -> "Scale":
        """This one on top of `first`."""
        return Scale(self.slope * first.slope, self.slope * first.offset + self.offset)


def compare(
    embeddings: NDArray[np.float32],
    quality: NDArray[np.float32],
    identities: NDArray[np.int64],
    fmr: float = FMR,
) -> Pairs:
    """Compare every undegraded face with the other faces of its identity and their copies.

    Takes embeddings `[N, C, D]`, qualities `[N, C]`, the first of the C columns undegraded, and
    identities `[N]`. The threshold is that of the undegraded faces of different identities.
    Raises `FiqaError` if they are too few for `fmr`, or no identity has two faces.
    """
    unit = normalised(embeddings).astype(np.float64)
    order = np.triu(np.ones((len(unit), len(unit)), bool), 1)
    mated = identities[:, None] == identities
    clean = unit[:, 0] @ unit[:, 0].T
    if not (mated & order).any():
        raise FiqaError("no identity has two faces: there is nothing to compare")
    threshold = threshold_at(clean[~mated & order], fmr)
    qualities, missed = [], []
    for column in range(quality.shape[1]):
        # Two undegraded faces are one pair, whichever comes first.
        taken = mated & (order if column == 0 else ~np.eye(len(unit), dtype=bool))
        first, second = np.nonzero(taken)
        similarity = (unit[first, 0] * unit[second, column]).sum(1)
        qualities.append(np.minimum(quality[first, 0], quality[second, column]))
        missed.append(similarity < threshold)
    overall = float(missed[0].mean())
    return Pairs(
        np.concatenate(qualities).astype(np.float64), np.concatenate(missed), threshold, overall
    )


def misses(pairs: Pairs) -> Misses:
    """FNMR as a function of quality: a Gaussian mean over near qualities, made to fall throughout.

    Raises `FiqaError` if all qualities are the same.
    """
    low, high = np.quantile(pairs.quality, (0.005, 0.995))
    if not low < high:
        raise FiqaError("these faces all have the same quality: there is no scale in it")
    edges = np.linspace(pairs.quality.min(), pairs.quality.max(), PLACES + 1)
    places = (edges[1:] + edges[:-1]) / 2
    counts = np.histogram(pairs.quality, edges)[0]
    missed = np.histogram(pairs.quality, edges, weights=pairs.missed.astype(np.float64))[0]
    kernel = np.exp(-0.5 * ((places[:, None] - places) / (BANDWIDTH * (high - low))) ** 2)
    weight = kernel @ counts
    seen = weight > 0
    share = (kernel @ missed)[seen] / weight[seen]
    falling = isotonic_regression(share, weights=weight[seen], increasing=False).x
    return Misses(places[seen], np.asarray(falling, np.float64))


def require_same_order(
    before: NDArray[np.float32], after: NDArray[np.float32], scale: Scale
) -> None:
    """Raise `FiqaError` unless `after` is `before` on the new scale, in the same order.

    Both `[N]`, computed by the network with its old and its new weights. Qualities that differ by
    no more than rounding may change places, as they do from one batch size to another.
    """
    rounding = 1e-6 * max(1.0, float(np.abs(before).max()))
    wanted = scale.slope * before.astype(np.float64) + scale.offset
    apart = float(np.abs(after - wanted).max())
    if apart > 8 * rounding * max(1.0, scale.slope):
        raise FiqaError(f"the new weights are off by {apart:.2g}: nothing was written")
    order = np.argsort(before, kind="stable")
    steps, moved = np.diff(before[order]), np.diff(after[order])
    lost = int((moved[steps > rounding] <= 0).sum())
    if lost:
        raise FiqaError(f"the new weights would reorder {lost} qualities: nothing was written")
