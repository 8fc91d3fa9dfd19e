"""How far two models agree on the faces that both have scored."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.scores import Scores

WORST = 0.1
"""Share of the faces that count as the worst."""

DOTS = 2000
"""Faces that the scatter plot shows."""

_GOLDEN = -7046029254386353131
"""An odd number that spreads the numbers of faces over all bits (2**64 over the golden ratio)."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A face that one model ranks much higher than the other."""

    row: int
    """Its place in the first report, from 0."""
    quality: tuple[float, float]
    share: tuple[float, float]
    """Share of the common faces that each model ranks lower, ties counted half."""


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Two models over the C faces that both have scored."""

    common: int
    only: tuple[int, int]
    """Scored faces that the other report lacks."""
    correlation: float
    """Spearman's, with mean ranks for ties; NaN where a model gives all faces one quality."""
    worst_in_common: float
    """Of the worst tenth by the first model, the share that is in the worst tenth by the other."""
    dots: NDArray[np.float64]
    """Shares `[D, 2]` of faces drawn at random, `DOTS` at most."""
    first_higher: list[Disagreement]
    second_higher: list[Disagreement]

    @property
    def disagreements(self) -> list[Disagreement]:
        """Both ways."""
        return [*self.first_higher, *self.second_higher]


def agreement_of(one: Scores, other: Scores, most: int) -> Agreement:
    """Compare two reports by path and number of the face, with `most` disagreements each way.

    Raises `FiqaError` if they have fewer than two faces in common.
    """
    from scipy.stats import rankdata

    places = tuple(np.flatnonzero(scores.scored) for scores in (one, other))
    keys = (_keys(one)[places[0]], _keys(other)[places[1]])
    common, first, second = np.intersect1d(*keys, return_indices=True)
    if len(common) < 2:
        raise FiqaError(
            "the reports have no faces in common: give reports of the same images, "
            "scored under the same paths"
        )
    rows = one.row[places[0][first]]
    # In the order of the report, which unlike that of the keys is the same every time.
    order = np.argsort(rows)
    rows, first, second = rows[order], first[order], second[order]
    quality = np.stack([one.quality[places[0][first]], other.quality[places[1][second]]], axis=1)
    ranks = np.stack([rankdata(column) for column in quality.T], axis=1)
    shares = (ranks - 0.5) / len(ranks)
    lead = shares[:, 0] - shares[:, 1]
    drawn = np.random.default_rng(0).permutation(len(ranks))[:DOTS]

    def disagreements(order: NDArray[np.int64]) -> list[Disagreement]:
        return [
            Disagreement(int(rows[i]), _pair(quality[i]), _pair(shares[i])) for i in order[:most]
        ]

    return Agreement(
        common=len(common),
        only=(len(places[0]) - len(common), len(places[1]) - len(common)),
        correlation=_correlation(ranks),
        worst_in_common=_overlap(ranks),
        dots=shares[drawn],
        first_higher=disagreements(np.argsort(-lead, kind="stable")[: np.sum(lead > 0)]),
        second_higher=disagreements(np.argsort(lead, kind="stable")[: np.sum(lead < 0)]),
    )


def _keys(scores: Scores) -> NDArray[np.int64]:
    with np.errstate(over="ignore"):
        return scores.image ^ (scores.face.astype(np.int64) * _GOLDEN)


def _pair(values: NDArray[np.float64]) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _correlation(ranks: NDArray[np.float64]) -> float:
    if (ranks.min(axis=0) == ranks.max(axis=0)).any():
        return float("nan")
    return float(np.asarray(np.corrcoef(ranks.T))[0, 1])


def _overlap(ranks: NDArray[np.float64]) -> float:
    worst = max(1, round(WORST * len(ranks)))
    one, other = (set(np.argsort(column, kind="stable")[:worst].tolist()) for column in ranks.T)
    return len(one & other) / worst
