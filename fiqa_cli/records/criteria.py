"""Criteria: which rows of a report stay.

They hold together, in this order: model, status and the bounds of quality; of what is left, the
best of each group; of what is left then, the best fraction and the best number of all. Rows without
a quality pass none of these but model and status. Of rows with equal quality, the earlier is the
better.
"""

import heapq
import math
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice, repeat
from operator import itemgetter
from typing import TypeVar

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.batches import Batch, check_one_model
from fiqa_cli.records.best import Best, Shot, best_shots
from fiqa_cli.records.groups import Key, group_keys, moment_of
from fiqa_cli.records.readers import Reader

Fact = TypeVar("Fact")


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a row must meet; what is `None` does not count."""

    minimum: float | None = None
    """Least quality, inclusive."""
    maximum: float | None = None
    """Greatest quality, inclusive."""
    statuses: tuple[str, ...] | None = None
    best: Best | None = None
    """How many rows stay of each group."""
    keep: float | None = None
    """Fraction of the scored rows that stay, in (0, 1]; rounded to the nearest row, half up."""
    top: int | None = None
    """How many rows stay in all."""
    invert: bool = False
    """Exactly the other rows stay."""
    model: str | None = None
    """Rows of this model, and those that name none; without it, there may be several only if their
    qualities need not compare."""

    @property
    def ranks(self) -> bool:
        """Whether rows are compared with each other, which takes two passes."""
        return any(limit is not None for limit in (self.best, self.keep, self.top))

    @property
    def judges(self) -> bool:
        """Whether qualities are looked at."""
        return self.ranks or self.minimum is not None or self.maximum is not None

    @property
    def mixes(self) -> bool:
        """Whether qualities of different models would be compared, or held to one bound."""
        within_model = replace(self, best=None) if self.best and "model" in self.best.by else self
        return self.model is None and within_model.judges

    @property
    def columns(self) -> set[str]:
        """The columns that a report must have."""
        needed = set()
        if self.judges:
            needed.add("quality")
        if self.model is not None:
            needed.add("model")
        if self.statuses is not None:
            needed.add("status")
        if self.best is not None:
            needed |= self.best.columns
        return needed


def filter_batches(reader: Reader, criteria: Criteria) -> Iterator[tuple[Batch, Batch]]:
    """Each batch of `reader` with what stays of it, in order.

    Memory is constant for status and bounds; otherwise it holds a number for each row that may
    stay (`keep`) or that stays (`top`, `best`), and `reader` must allow a replay. Raises
    `FiqaError` if a column is missing: at once, so that no output is begun, where all rows have
    the same columns.
    """
    batches = checked(reader, criteria)
    first = list(islice(batches, 1))
    if criteria.ranks:
        return _ranked(reader, criteria)
    return (
        (batch, _rest(batch, within_bounds(batch, criteria), criteria))
        for batch in chain(first, batches)
    )


def _ranked(reader: Reader, criteria: Criteria) -> Iterator[tuple[Batch, Batch]]:
    best = rank(checked(reader, criteria), criteria)
    count = 0
    for batch in reader:
        mask = [False] * len(batch)
        for row in best[bisect_left(best, count) : bisect_left(best, count + len(batch))]:
            mask[row - count] = True
        count += len(batch)
        yield batch, _rest(batch, mask, criteria)


def _rest(batch: Batch, mask: list[bool], criteria: Criteria) -> Batch:
    return batch.select([not bit for bit in mask] if criteria.invert else mask)


def checked(reader: Reader, criteria: Criteria) -> Iterator[Batch]:
    """The batches of `reader`; raises `FiqaError` if a column that `criteria` need is missing.

    For JSON, where an object may leave out what it has not, one row with the column is enough.
    Raises `FiqaError` for qualities of several models, of which none was chosen, and at the end if
    there was no row of the chosen one.
    """
    missing = criteria.columns
    models: dict[str, None] = {}
    mixes = criteria.mixes
    rows = 0
    for batch in reader:
        rows += len(batch)
        missing -= set(batch.columns)
        if missing and reader.format in ("csv", "parquet"):
            raise _lack(reader, missing)
        if mixes or criteria.model is not None:
            models.update(dict.fromkeys(sorted(batch.models())))
        if mixes:
            check_one_model(reader.name, models)
        yield batch
    if missing and rows:
        raise _lack(reader, missing)
    if models and criteria.model not in {None, *models}:
        raise FiqaError(
            f"{reader.name} has no row of {criteria.model}: choose of {', '.join(models)}"
        )


def _lack(reader: Reader, missing: set[str]) -> FiqaError:
    names = " and no column ".join(sorted(missing))
    return FiqaError(f"{reader.name} has no column {names}: give a report that fiqa score wrote")


def within_bounds(batch: Batch, criteria: Criteria) -> list[bool]:
    """For each row whether it meets model, status, minimum and maximum."""
    mask = [True] * len(batch)
    if criteria.statuses is not None:
        mask = [status in criteria.statuses for status in batch.column("status")]
    if criteria.model is not None:
        of_model = (not name or name == criteria.model for name in batch.column("model"))
        mask = [a and b for a, b in zip(mask, of_model, strict=True)]
    if criteria.minimum is None and criteria.maximum is None:
        return mask
    low = -math.inf if criteria.minimum is None else criteria.minimum
    high = math.inf if criteria.maximum is None else criteria.maximum
    # A missing quality is NaN, and no comparison with NaN holds.
    within = [low <= quality <= high for quality in batch.qualities()]
    if criteria.statuses is None and criteria.model is None:
        return within
    return [a and b for a, b in zip(mask, within, strict=True)]


def rank(batches: Iterable[Batch], criteria: Criteria) -> "array[int]":
    """The numbers of the rows that meet all criteria but `invert`, rising from 0."""
    scored: Iterable[tuple[int, float]]
    if criteria.best is not None:
        scored = best_shots(_shots(batches, criteria, criteria.best), criteria.best)
    else:
        rows = _scored(batches, criteria, lambda batch: repeat(None, len(batch)))
        scored = ((row, quality) for row, quality, _ in rows)
    if criteria.keep is not None:
        scored = best_fraction(scored, criteria.keep)
    if criteria.top is not None:
        # nlargest holds `top` rows at most, and prefers the earlier of equals.
        scored = heapq.nlargest(criteria.top, scored, key=itemgetter(1))
    return array("q", sorted(row for row, _ in scored))


def best_fraction(
    scored: Iterable[tuple[int, float]], fraction: float
) -> Iterator[tuple[int, float]]:
    """Of rows `(number, quality)` in order of number, the best `fraction`, in the same order."""
    rows, qualities = array("q"), array("d")
    for row, quality in scored:
        rows.append(row)
        qualities.append(quality)
    count = math.floor(fraction * len(rows) + 0.5)
    if not count:
        return
    worst = sorted(qualities, reverse=True)[count - 1]
    ties = count - sum(quality > worst for quality in qualities)
    for row, quality in zip(rows, qualities, strict=True):
        if quality > worst:
            yield row, quality
        elif quality == worst and ties:
            ties -= 1
            yield row, quality


def _shots(batches: Iterable[Batch], criteria: Criteria, best: Best) -> Iterator[Shot]:
    """The scored rows with their groups."""
    shared: dict[Key, Key] = {}

    def facts(batch: Batch) -> Iterable[tuple[Key, float | None]]:
        keys = (shared.setdefault(key, key) for key in group_keys(batch, best.by))
        moments = map(moment_of, batch.paths()) if best.apart else repeat(None, len(batch))
        return zip(keys, moments, strict=True)

    for row, quality, (group, moment) in _scored(batches, criteria, facts):
        yield Shot(row, quality, group, moment)


def _scored(
    batches: Iterable[Batch], criteria: Criteria, facts: Callable[[Batch], Iterable[Fact]]
) -> Iterator[tuple[int, float, Fact]]:
    """Number, quality and a fact of each row within bounds that has a quality."""
    start = 0
    for batch in batches:
        mask = within_bounds(batch, criteria)
        rows = zip(mask, batch.qualities(), facts(batch), strict=True)
        for row, (within, quality, fact) in enumerate(rows, start):
            if within and quality == quality:
                yield row, quality, fact
        start += len(batch)
