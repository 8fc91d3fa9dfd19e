"""Many measures at once: their curves and areas over several recognisers, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.bootstrap import Bootstrap, bootstrap, mean_over
from fiqa_cli.evaluation.comparisons import Comparisons
from fiqa_cli.evaluation.definition import Definition
from fiqa_cli.evaluation.edc import Curve, edc
from fiqa_cli.evaluation.missing import Missing, pair_quality, settle_missing
from fiqa_cli.evaluation.pauc import KINDS, LIMITS, Area, Kind, pauc

Floats = NDArray[np.float64]
Ranks = NDArray[np.int64]

MEAN = "mean"


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What the measures are worth to one recogniser."""

    comparisons: Comparisons
    """Those that were judged: pairs without a quality are dropped, if they are to be."""
    pair_qualities: dict[str, Floats]
    """The lesser quality of both faces of these pairs, `[P]`, by measure."""
    dropped: int
    """How many pairs were dropped for want of a quality."""
    curves: dict[str, Curve]
    areas: dict[str, tuple[Area, ...]]
    """One for each limit, by measure."""
    resampled: Bootstrap | None

    @property
    def recogniser(self) -> str:
        """Its name."""
        return self.comparisons.recogniser

    @property
    def mated(self) -> int:
        """How many mated pairs there are."""
        return int(np.count_nonzero(self.comparisons.pairs.mated))

    @property
    def non_mated(self) -> int:
        """How many non-mated pairs there are."""
        return len(self.comparisons.pairs.mated) - self.mated

    @property
    def threshold(self) -> float:
        """The similarity from which a pair matches, with nothing discarded."""
        return float(self._any_curve.threshold[0])

    @property
    def error(self) -> float:
        """The error with nothing discarded."""
        return float(self._any_curve.error[0])

    @property
    def _any_curve(self) -> Curve:
        # All curves begin at one point, for nothing is discarded there.
        return next(iter(self.curves.values()))


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Areas of all measures side by side: of one recogniser, or the means over several."""

    recogniser: str
    """Its name, or `MEAN`."""
    outcome: Outcome | None
    """`None` for the mean."""
    areas: dict[Kind, Floats]
    """Each kind `[measures, limits]`."""
    gain: Floats
    """Likewise: the share of what a perfect order gains."""
    resampled: Bootstrap | None
    """`None` for a mean over recognisers whose pairs, or identities, are not the same."""

    def ranks(self, kind: Kind) -> Ranks:
        """Place of each measure at each limit, `[measures, limits]`, 1 for the least area.

        Equal ones share a place; NaN is last.
        """
        areas = self.areas[kind]
        less = (areas[None] < areas[:, None]).sum(axis=1)
        unknown = np.isnan(areas)
        return np.asarray(1 + np.where(unknown, (~unknown).sum(axis=0), less), np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Measures over recognisers, and all that was chosen to compare them."""

    definition: Definition
    limits: tuple[float, ...]
    missing: Missing
    resamples: int
    seed: int
    outcomes: tuple[Outcome, ...]

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of the measures."""
        return tuple(self.outcomes[0].curves)

    @property
    def standings(self) -> list[Standing]:
        """One for each recogniser and, of several, one for the mean."""
        found = [
            Standing(
                outcome.recogniser,
                outcome,
                {kind: _figures(outcome, kind) for kind in KINDS},
                _figures(outcome, "gain"),
                outcome.resampled,
            )
            for outcome in self.outcomes
        ]
        if len(found) == 1:
            return found
        means = {
            kind: np.mean([standing.areas[kind] for standing in found], axis=0) for kind in KINDS
        }
        gain = np.mean([standing.gain for standing in found], axis=0)
        resampled = [one.resampled for one in self.outcomes if one.resampled is not None]
        same = resampled and all(_same_pairs(self.outcomes[0], one) for one in self.outcomes)
        overall = mean_over(resampled) if same else None
        return [*found, Standing(MEAN, None, means, gain, overall)]


def compare(
    comparisons: Sequence[Comparisons],
    definition: Definition | None = None,
    limits: Sequence[float] = LIMITS,
    missing: Missing = "error",
    resamples: int = 0,
    seed: int = 0,
) -> Evaluation:
    """Curves and areas of all measures over all recognisers.

    Each curve is that of `edc`. With `drop`, a pair is dropped for all measures if one has no
    quality for it, so that all are compared on the same pairs. `resamples` greater than 0 adds
    the `bootstrap` over identities; recognisers that compare the same pairs see the same
    resamples of the `seed`.

    Raises `FiqaError` as `edc` and `bootstrap` do, without anything to compare, and if the
    measures of the recognisers differ.
    """
    definition = definition or Definition()
    limits = tuple(sorted(set(limits)))
    if not comparisons or not all(one.qualities for one in comparisons):
        raise FiqaError("nothing to compare: give one recogniser and one quality measure at least")
    if len({tuple(one.qualities) for one in comparisons}) > 1:
        raise FiqaError("the recognisers have different measures: give all the same ones")
    outcomes = tuple(
        _outcome(one, definition, limits, missing, resamples, seed) for one in comparisons
    )
    return Evaluation(definition, limits, missing, resamples, seed, outcomes)


def _outcome(
    comparisons: Comparisons,
    definition: Definition,
    limits: tuple[float, ...],
    missing: Missing,
    resamples: int,
    seed: int,
) -> Outcome:
    pairs = comparisons.pairs
    lesser = [pair_quality(pairs.both(quality)) for quality in comparisons.qualities.values()]
    settled, kept = settle_missing(lesser, missing)
    dropped = 0
    if kept is not None:
        comparisons, dropped = comparisons.of_pairs(kept), int(np.count_nonzero(~kept))
        pairs = comparisons.pairs
    qualities = dict(zip(comparisons.qualities, settled, strict=True))
    similarity, mated = comparisons.similarity, pairs.mated
    curves = {
        name: edc(similarity, quality, mated, definition) for name, quality in qualities.items()
    }
    areas = {name: pauc(curve, limits) for name, curve in curves.items()}
    resampled = None
    if resamples:
        persons = pairs.both(pairs.identities)
        resampled = bootstrap(
            similarity, qualities, mated, persons, definition, limits, resamples, seed
        )
    return Outcome(comparisons, qualities, dropped, curves, areas, resampled)


def _figures(outcome: Outcome, name: str) -> Floats:
    """A figure of the areas, `[measures, limits]`."""
    return np.array([[getattr(area, name) for area in each] for each in outcome.areas.values()])


def _same_pairs(one: Outcome, other: Outcome) -> bool:
    first, second = one.comparisons.pairs, other.comparisons.pairs
    return np.array_equal(
        first.both(first.identities), second.both(second.identities)
    ) and np.array_equal(first.mated, second.mated)
