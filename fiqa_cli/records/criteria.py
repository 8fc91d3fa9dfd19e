"""Criteria: which rows of a report stay.

They hold together, in this order: status and the bounds of quality; of what is left, the best of
each folder; of what is left then, the best fraction and the best number of all. Rows without a
quality pass none of these but status. Of rows with equal quality, the earlier is the better.
"""

import heapq
import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.batches import Batch
from fiqa_cli.records.readers import Reader


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a row must meet; what is `None` does not count."""

    minimum: float | None = None
    """Least quality, inclusive."""
    maximum: float | None = None
    """Greatest quality, inclusive."""
    statuses: tuple[str, ...] | None = None
    per_folder: int | None = None
    """How many rows stay of each folder that directly holds images."""
    keep: float | None = None
    """Fraction of the scored rows that stay, in (0, 1]; rounded to the nearest row, half up."""
    top: int | None = None
    """How many rows stay in all."""
    invert: bool = False
    """Exactly the other rows stay."""

    @property
    def ranks(self) -> bool:
        """Whether rows are compared with each other, which takes two passes."""
        return any(limit is not None for limit in (self.per_folder, self.keep, self.top))

    @property
    def columns(self) -> set[str]:
        """The columns that a report must have."""
        needed = set()
        if self.ranks or self.minimum is not None or self.maximum is not None:
            needed.add("quality")
        if self.statuses is not None:
            needed.add("status")
        if self.per_folder is not None:
            needed.add("path")
        return needed


def filter_batches(reader: Reader, criteria: Criteria) -> Iterator[tuple[Batch, Batch]]:
    """Each batch of `reader` with what stays of it, in order.

    Memory is constant for status and bounds; otherwise it holds a number for each row that may
    stay (`keep`) or that stays (`top`, `per_folder`), and `reader` must allow a replay. Raises
    `FiqaError` if a column is missing.
    """
    best = rank(checked(reader, criteria), criteria) if criteria.ranks else None
    count = 0
    for batch in checked(reader, criteria):
        if best is None:
            mask = within_bounds(batch, criteria)
        else:
            mask = [False] * len(batch)
            for row in best[bisect_left(best, count) : bisect_left(best, count + len(batch))]:
                mask[row - count] = True
        count += len(batch)
        yield batch, batch.select([not bit for bit in mask] if criteria.invert else mask)


def checked(reader: Reader, criteria: Criteria) -> Iterator[Batch]:
    """The batches of `reader`; raises `FiqaError` if a column that `criteria` need is missing.

    For JSON, where an object may leave out what it has not, one row with the column is enough.
    """
    missing = criteria.columns
    rows = 0
    for batch in reader:
        rows += len(batch)
        missing -= set(batch.columns)
        if missing and reader.format in ("csv", "parquet"):
            raise _lack(reader, missing)
        yield batch
    if missing and rows:
        raise _lack(reader, missing)


def _lack(reader: Reader, missing: set[str]) -> FiqaError:
    names = " and no column ".join(sorted(missing))
    return FiqaError(f"{reader.name} has no column {names}: give a report that fiqa score wrote")


def within_bounds(batch: Batch, criteria: Criteria) -> list[bool]:
    """For each row whether it meets status, minimum and maximum."""
    mask = [True] * len(batch)
    if criteria.statuses is not None:
        mask = [status in criteria.statuses for status in batch.column("status")]
    if criteria.minimum is None and criteria.maximum is None:
        return mask
    low = -math.inf if criteria.minimum is None else criteria.minimum
    high = math.inf if criteria.maximum is None else criteria.maximum
    # A missing quality is NaN, and no comparison with NaN holds.
    within = [low <= quality <= high for quality in batch.qualities()]
    if criteria.statuses is None:
        return within
    return [a and b for a, b in zip(mask, within, strict=True)]


def rank(batches: Iterable[Batch], criteria: Criteria) -> "array[int]":
    """The numbers of the rows that meet all criteria but `invert`, rising from 0."""
    scored: Iterable[tuple[int, float]]
    if criteria.per_folder is None:
        scored = ((row, quality) for row, quality, _ in _scored(batches, criteria))
    else:
        scored = best_per_folder(_scored(batches, criteria), criteria.per_folder)
    if criteria.keep is not None:
        scored = best_fraction(scored, criteria.keep)
    if criteria.top is not None:
        # nlargest holds `top` rows at most, and prefers the earlier of equals.
        scored = heapq.nlargest(criteria.top, scored, key=itemgetter(1))
    return array("q", sorted(row for row, _ in scored))


def best_per_folder(
    scored: Iterable[tuple[int, float, str]], count: int
) -> list[tuple[int, float]]:
    """Of rows `(number, quality, path)` the best `count` of each folder, in order of number."""
    folders: dict[str, list[tuple[float, int]]] = {}
    for row, quality, path in scored:
        heap = folders.setdefault(folder_of(path), [])
        if len(heap) < count:
            heapq.heappush(heap, (quality, -row))
        else:
            heapq.heappushpop(heap, (quality, -row))
    return sorted((-row, quality) for heap in folders.values() for quality, row in heap)


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


def folder_of(path: str) -> str:
    """The folder that directly holds an image, or the archive if it lies at an archive's top."""
    folder, _, name = path.rpartition("/")
    archive, inside, _ = name.partition("::")
    return f"{folder}/{archive}" if inside else folder


def _scored(batches: Iterable[Batch], criteria: Criteria) -> Iterator[tuple[int, float, str]]:
    """Number, quality and (if folders matter) path of the rows within bounds with a quality."""
    start = 0
    for batch in batches:
        mask = within_bounds(batch, criteria)
        paths = [""] * len(batch) if criteria.per_folder is None else batch.paths()
        for i, quality in enumerate(batch.qualities()):
            if mask[i] and quality == quality:
                yield start + i, quality, paths[i]
        start += len(batch)
