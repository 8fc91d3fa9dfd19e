"""Which faces of a report its page shows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.records.readers import Reader
from fiqa_cli.records.row import Row, from_record
from fiqa_cli.records.scores import Scores

LISTED = 10_000
"""Faces that the page can name around a cut; of more, these are drawn evenly by rank."""

NEAR = 12
"""Faces on each side of the first cut that are shown in any case."""

SAMPLES = 10
"""Faces shown along the slider, for each in a gallery."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """Places in the report, from 0."""

    best: list[int]
    """Best first."""
    worst: list[int]
    """Worst first."""
    listed: NDArray[np.int64]
    """Rising by quality."""
    sampled: NDArray[np.int64]
    """Those of `listed`, in this order, that have a picture."""


def choose_shown(scores: Scores, cut: float, gallery: int) -> Shown:
    """Choose the `gallery` best and worst, and faces all along the qualities and around `cut`."""
    places = np.flatnonzero(scores.scored)
    order = places[np.argsort(scores.quality[places], kind="stable")]
    quality, rows = scores.quality[order], scores.row[order]
    at = int(np.searchsorted(quality, cut))
    near = np.arange(max(at - NEAR, 0), min(at + NEAR, len(rows)))
    listed = np.union1d(_spread(len(rows), LISTED), near)
    sampled = np.union1d(listed[_spread(len(listed), SAMPLES * gallery)], near)
    best = np.lexsort((rows, -quality))[:gallery]
    return Shown(
        best=rows[best].tolist(),
        worst=rows[:gallery].tolist(),
        listed=rows[listed],
        sampled=rows[sampled] if gallery else rows[:0],
    )


def read_shown(reader: Reader, places: NDArray[np.int64]) -> dict[int, Row]:
    """The rows at the given places of a report. Raises `FiqaError` as `Reader` does."""
    wanted = np.unique(places)
    rows: dict[int, Row] = {}
    start = 0
    for batch in reader:
        low, high = np.searchsorted(wanted, [start, start + len(batch)])
        if low < high:
            mask = np.zeros(len(batch), np.bool_)
            mask[wanted[low:high] - start] = True
            found = map(from_record, batch.select(mask.tolist()).records())
            rows.update(zip(wanted[low:high].tolist(), found, strict=True))
        start += len(batch)
    return rows


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of the numbers from 0 to `count`, evenly spaced, with both ends."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
