"""The error-versus-discard curve (EDC): what recognition gains by refusing the worst faces."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.definition import Definition
from fiqa_cli.evaluation.missing import Missing, pair_quality, settle_missing
from fiqa_cli.evaluation.ranks import count_at_least
from fiqa_cli.evaluation.thresholds import threshold_at, thresholds_of_rest

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """An error-versus-discard curve of K points."""

    discard: Floats
    """Share of the pairs that is discarded, `[K]`, rising from 0 to 1."""
    error: Floats
    """Error rate of the pairs that are left, `[K]` in [0, 1]; 0 where none is."""
    quality: Floats
    """The least quality that both faces of a pair need to be left, `[K]`; at last infinity."""
    threshold: Floats
    """The similarity from which a pair matches, `[K]`; the same for all unless re-estimated."""
    pairs: int
    """How many pairs the error is a share of with nothing discarded."""
    definition: Definition

    def error_at(self, discard: ArrayLike) -> Floats:
        """The error at shares of discarded pairs in [0, 1], of any shape."""
        if self.definition.linear:
            shares = np.asarray(discard, np.float64)
            return np.asarray(np.interp(shares, self.discard, self.error))
        return np.asarray(self.error[self._points_at(discard)])

    def quality_at(self, discard: ArrayLike) -> Floats:
        """The least quality to ask of both faces if no more than these shares may be discarded."""
        return np.asarray(self.quality[self._points_at(discard)])

    def _points_at(self, discard: ArrayLike) -> Counts:
        return np.searchsorted(self.discard, discard, side="right") - 1


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """Pairs in the order in which they leave, and where each group of equal quality begins."""

    rows: Counts
    """`[P]`: which of all pairs they are."""
    similarity: Floats
    """`[P]`"""
    starts: Counts
    """First place `[K]` of each group."""
    quality: Floats
    """Quality `[K]` of each group, rising."""


def edc(
    similarity: ArrayLike,
    quality: ArrayLike,
    mated: ArrayLike,
    definition: Definition | None = None,
    missing: Missing = "error",
) -> Curve:
    """The error-versus-discard curve of one quality measure and one recogniser.

    With similarity s, quality q = min(q_a, q_b) of both faces and threshold t, over the mated
    pairs M and for each quality c that occurs,

        discard(c) = |{m in M: q_m < c}| / |M|
        FNMR(c) = |{m in M: q_m >= c and s_m < t}| / |{m in M: q_m >= c}|

    so that pairs of equal quality leave together, with the point (1, 0) at the end. t is the
    lowest threshold at which no more than `definition.fmr` of all non-mated pairs have s >= t; it
    is found with nothing discarded, and then fixed. The error holds up to the next discard.
    (Schlett et al.: Considerations on the evaluation of biometric quality assessment algorithms,
    2024; Grother, Tabassi: Performance of biometric quality measures, 2007.)

    `Definition` has variants: the FMR takes the non-mated pairs and s >= t in place of M and
    s < t; a re-estimated t at c counts only the non-mated pairs with q >= c (all, at discard 0).

    `similarity` `[P]` is greater for likelier matches; `quality` `[P, 2]` is that of both faces,
    or `[P]` the lesser one; `mated` `[P]` says whether both show one person. NaN qualities are
    treated as `missing` says: their pairs are dropped before anything else, non-mated ones too,
    or leave first, together, or are an error.

    Raises `FiqaError` if the FMR is below 1/(number of non-mated pairs), if there are no pairs to
    judge, for shapes that do not agree and for NaN similarities.
    """
    definition = definition or Definition()
    similarities, match = checked_pairs(similarity, mated)
    lesser = pair_quality(quality)
    if len(lesser) != len(match):
        raise FiqaError(f"{len(match):,} pairs, but qualities for {len(lesser):,}")
    (lesser,), kept = settle_missing([lesser], missing)
    if kept is not None:
        similarities, match = similarities[kept], match[kept]
    ordered = in_order(judged_pairs(match, definition), similarities, lesser)
    impostors = similarities[~match] if definition.needs_impostors else np.empty(0)
    threshold = np.asarray(_threshold(definition, ordered.similarity, impostors))
    if definition.re_estimated:
        rest = in_order(np.flatnonzero(~match), similarities, lesser)
        left = places_left(rest, ordered.quality)
        threshold = thresholds_of_rest(rest.similarity, left, definition.fmr)
    discard, error = points(ordered, threshold, definition)
    each = threshold if threshold.ndim else np.full(len(ordered.starts), threshold)
    return Curve(
        discard=discard,
        error=error,
        quality=np.append(ordered.quality, np.inf),
        threshold=np.append(each, each[-1]),
        pairs=len(ordered.similarity),
        definition=definition,
    )


def checked_pairs(similarity: ArrayLike, mated: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    """Both as arrays `[P]`; raises `FiqaError` if they do not agree or a similarity is NaN."""
    # float64, for the next float above a float32 is none.
    similarities = np.asarray(similarity, np.float64)
    match = np.asarray(mated).astype(np.bool_)
    if similarities.ndim != 1 or similarities.shape != match.shape:
        raise FiqaError(
            f"similarities of shape {similarities.shape} and mated flags of shape {match.shape}: "
            "expected one of each for every pair"
        )
    if lacking := np.count_nonzero(np.isnan(similarities)):
        raise FiqaError(f"{lacking:,} pairs have no similarity (NaN): leave them out")
    return similarities, match


def judged_pairs(mated: NDArray[np.bool_], definition: Definition) -> Counts:
    """The rows of the pairs that the error is a share of; raises `FiqaError` if there is none."""
    judged = np.flatnonzero(mated if definition.error == "fnmr" else ~mated)
    if not len(judged):
        kind = "mated" if definition.error == "fnmr" else "non-mated"
        raise FiqaError(f"there are no {kind} pairs, of which the error would be a share")
    return judged


def in_order(rows: Counts, similarity: Floats, quality: Floats) -> Ordered:
    """Those of the pairs `[N]` that `rows` `[P]` number, one at least, by rising quality."""
    order = np.argsort(quality[rows])
    rows = rows[order]
    rising = quality[rows]
    starts = np.append(0, np.flatnonzero(rising[1:] != rising[:-1]) + 1)
    return Ordered(rows, similarity[rows], starts, rising[starts])


def present(ordered: Ordered, weights: Counts) -> Ordered:
    """The same pairs with only the groups in which `weights` `[P]`, in order, leave any."""
    places = np.append(ordered.starts, len(weights))
    there = np.diff(_sums(weights)[places]) > 0
    return replace(ordered, starts=ordered.starts[there], quality=ordered.quality[there])


def places_left(ordered: Ordered, quality: Floats) -> Counts:
    """Where those begin that are left at rising cuts `quality` `[K]`; all are at the first."""
    ends = np.append(ordered.starts, len(ordered.similarity))
    places = ends[np.searchsorted(ordered.quality, quality)]
    places[0] = 0
    return places


def points(
    ordered: Ordered, threshold: Floats, definition: Definition, weights: Counts | None = None
) -> tuple[Floats, Floats]:
    """Discards and errors `[K + 1]`, for one threshold `[]` or one for each group `[K]`.

    With `weights` `[P]`, in order, a pair counts as often as its weight says.
    """
    gone = ordered.starts if weights is None else _sums(weights)[ordered.starts]
    total = len(ordered.similarity) if weights is None else int(weights.sum())
    left = total - gone
    if threshold.ndim:
        ends = np.full(len(gone), len(ordered.similarity))
        matching = count_at_least(ordered.similarity, ordered.starts, ends, threshold, weights)
        wrong = left - matching
    else:
        below = ordered.similarity < threshold
        mistaken = below if definition.error == "fnmr" else ~below
        sums = _sums(mistaken if weights is None else mistaken * weights)
        wrong = sums[-1] - sums[ordered.starts]
    # In a resample the best groups may be absent.
    error = wrong / np.maximum(left, 1)
    return np.append(gone / total, 1.0), np.append(error, 0.0)


def _threshold(definition: Definition, judged: Floats, impostors: Floats) -> float:
    if definition.threshold is not None:
        return definition.threshold
    if definition.starting_error is not None:
        return quantile_threshold(judged, definition)
    return threshold_at(impostors, definition.fmr)


def quantile_threshold(judged: Floats, definition: Definition) -> float:
    """The threshold that a starting error asks of the judged similarities `[P]`."""
    share = definition.starting_error or 0.0
    return float(np.quantile(judged, share if definition.error == "fnmr" else 1 - share))


def _sums(counts: NDArray[np.bool_] | Counts) -> Counts:
    sums = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=sums[1:])
    return sums
