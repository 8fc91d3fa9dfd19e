"""Bootstrap over identities: how far an area under the curve may be chance.

Pairs that share a person are not independent, so persons are drawn, not pairs: with replacement,
as many as there are. A person drawn w times brings each of their mated pairs w times; a non-mated
pair of persons drawn v and w times counts v * w times. (Bolle, Ratha, Pankanti: Error analysis of
pattern recognition systems, the subsets bootstrap, 2004; Poh, Bengio, 2007.)
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.definition import Definition
from fiqa_cli.evaluation.edc import (
    checked_pairs,
    in_order,
    judged_pairs,
    places_left,
    points,
    present,
    quantile_threshold,
)
from fiqa_cli.evaluation.missing import Missing, pair_quality, settle_missing
from fiqa_cli.evaluation.pauc import KINDS, LIMITS, Kind, area_under, best_area, checked_limits
from fiqa_cli.evaluation.thresholds import threshold_at, thresholds_of_rest, weighted_threshold

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

RESAMPLES = 1000
REDRAWS = 100
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Bootstrap:
    """Areas under the curves of several methods in the same resamples of identities."""

    methods: tuple[str, ...]
    limits: tuple[float, ...]
    raw: Floats
    """Areas `[resamples, methods, limits]`."""
    normalised: Floats
    """raw / (error(0) * limit), likewise; NaN in resamples without errors."""
    above_best: Floats
    """raw less the area under max(0, error(0) - discard), likewise."""

    def interval(
        self, method: str, limit: float, confidence: float = CONFIDENCE, kind: Kind = "raw"
    ) -> tuple[float, float]:
        """Lower and upper bound of an area, from the quantiles of the resamples."""
        areas = self._areas(kind, method, limit)
        areas = areas[~np.isnan(areas)]
        if not len(areas):
            return np.nan, np.nan
        low, high = np.quantile(areas, ((1 - confidence) / 2, (1 + confidence) / 2))
        return float(low), float(high)

    def share_below(self, method: str, other: str, limit: float, kind: Kind = "raw") -> float:
        """The share of the resamples in which the area of `method` is less than of `other`."""
        less = self._areas(kind, method, limit) < self._areas(kind, other, limit)
        return float(less.mean())

    def _areas(self, kind: Kind, method: str, limit: float) -> Floats:
        areas: Floats = getattr(self, kind)
        return areas[:, self.methods.index(method), self.limits.index(limit)]


def mean_over(bootstraps: Sequence[Bootstrap]) -> Bootstrap:
    """The means of areas over several recognisers, from the same resamples of identities."""
    first = bootstraps[0]
    means = {kind: np.mean([getattr(one, kind) for one in bootstraps], axis=0) for kind in KINDS}
    return Bootstrap(first.methods, first.limits, **means)


def bootstrap(
    similarity: ArrayLike,
    qualities: Mapping[str, ArrayLike],
    mated: ArrayLike,
    identities: ArrayLike,
    definition: Definition | None = None,
    limits: Sequence[float] = LIMITS,
    resamples: int = RESAMPLES,
    seed: int = 0,
    missing: Missing = "error",
) -> Bootstrap:
    """Areas under the error-versus-discard curves of `qualities` in resamples of identities.

    Arguments as those of `edc`, with one quality for each method and `identities` `[P, 2]`, a
    number or name of the person on both sides of each pair. Everything, the threshold too, is
    found anew in each resample; all methods see the same resamples and, with `drop`, the same
    pairs, so that their areas can be compared one by one. Resamples without any pair to judge, or
    to find the threshold from, are drawn again.

    Raises `FiqaError` as `edc` does, and for identities that contradict `mated`.
    """
    definition = definition or Definition()
    checked_limits(limits)
    similarities, match = checked_pairs(similarity, mated)
    persons = _numbered(identities, match)
    lesser = [pair_quality(quality) for quality in qualities.values()]
    if not lesser or any(len(quality) != len(match) for quality in lesser):
        raise FiqaError(f"{len(match):,} pairs: give at least one method, and its quality for all")
    lesser, kept = settle_missing(lesser, missing)
    if kept is not None:
        similarities, match, persons = similarities[kept], match[kept], persons[kept]
    judged = judged_pairs(match, definition)
    impostors = _impostors(similarities, match, definition)
    # Ordered once: a resample costs no sorting, unless thresholds are re-estimated.
    descending = similarities[impostors]
    ordered = [in_order(judged, similarities, quality) for quality in lesser]
    rests = [
        in_order(impostors, similarities, q) if definition.re_estimated else None for q in lesser
    ]

    raw = np.empty((resamples, len(ordered), len(limits)))
    starts = np.empty((resamples, 1, 1))
    for i, weights in enumerate(_resamples(persons, judged, impostors, resamples, seed)):
        if definition.threshold is not None:
            threshold = np.asarray(definition.threshold)
        elif definition.starting_error is not None:
            drawn = np.repeat(judged, weights[judged])
            threshold = np.asarray(quantile_threshold(similarities[drawn], definition))
        elif not definition.re_estimated:
            of_impostors = weights[impostors]
            threshold = np.asarray(weighted_threshold(descending, of_impostors, definition.fmr))
        for j, (method, rest) in enumerate(zip(ordered, rests, strict=True)):
            of_pairs = weights[method.rows]
            if rest is not None:
                method = present(method, of_pairs)
                left = places_left(rest, method.quality)
                of_rest = weights[rest.rows]
                threshold = thresholds_of_rest(rest.similarity, left, definition.fmr, of_rest)
            discard, error = points(method, threshold, definition, of_pairs)
            starts[i] = error[0]
            raw[i, j] = [area_under(discard, error, x, definition.linear) for x in limits]
    with np.errstate(invalid="ignore"):
        normalised = raw / (starts * np.asarray(limits))
    above_best = raw - best_area(starts, np.asarray(limits))
    return Bootstrap(tuple(qualities), tuple(limits), raw, normalised, above_best)


def _numbered(identities: ArrayLike, mated: NDArray[np.bool_]) -> Counts:
    """Identities `[P, 2]` as numbers from 0."""
    names = np.asarray(identities)
    if names.shape != (len(mated), 2):
        raise FiqaError(f"identities of shape {names.shape}: expected [{len(mated)}, 2]")
    persons = np.unique(names, return_inverse=True)[1].reshape(names.shape).astype(np.int64)
    if odd := np.count_nonzero((persons[:, 0] == persons[:, 1]) != mated):
        raise FiqaError(
            f"{odd:,} pairs are mated across two identities, or non-mated within one: "
            "correct the pairs or the identities"
        )
    return persons


def _impostors(similarity: Floats, mated: NDArray[np.bool_], definition: Definition) -> Counts:
    """Rows of the non-mated pairs by falling similarity; none if no threshold needs them."""
    if not definition.needs_impostors:
        return np.empty(0, np.int64)
    rows = np.flatnonzero(~mated)
    threshold_at(similarity[rows], definition.fmr)  # refuses an FMR that is too low
    return rows[np.argsort(-similarity[rows])]


def _resamples(
    persons: Counts, judged: Counts, impostors: Counts, count: int, seed: int
) -> Iterator[Counts]:
    """Weights `[P]` of the pairs in each resample."""
    rng = np.random.default_rng(seed)
    number = int(persons.max()) + 1
    first, second = persons[:, 0].copy(), persons[:, 1].copy()
    same = first == second
    for _ in range(count):
        for _ in range(REDRAWS):
            drawn = np.bincount(rng.integers(0, number, number), minlength=number)
            weights = drawn[first] * np.where(same, 1, drawn[second])
            if all(weights[rows].any() for rows in (judged, impostors) if len(rows)):
                yield weights
                break
        else:
            raise FiqaError(f"{number} identities are too few to resample: add identities")
