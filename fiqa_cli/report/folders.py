"""The folders of a report, each in one line."""

from dataclasses import dataclass

import numpy as np

from fiqa_cli.records.scores import Scores

MOST = 200
"""Folders that the page lists."""


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder that directly holds images."""

    name: str
    images: int
    """Those with a face that has a quality."""
    faces: int
    """Those with a quality."""
    median: float
    worst: float
    best: float
    best_row: int
    """Place of the best shot in the report, from 0."""


def folders_of(scores: Scores, most: int = MOST) -> list[Folder]:
    """The folders with a quality, `most` at most, those with the lowest median first."""
    rows = np.flatnonzero(scores.scored)
    first = rows[np.unique(scores.image[rows], return_index=True)[1]]
    images = np.bincount(scores.folder[first], minlength=len(scores.folders))
    # Of equals the later row comes first, so that the best is the earliest of them.
    order = rows[np.lexsort((-rows, scores.quality[rows], scores.folder[rows]))]
    folder, quality = scores.folder[order], scores.quality[order]
    starts = np.append(0, np.flatnonzero(folder[1:] != folder[:-1]) + 1)
    ends = np.append(starts[1:], len(order))
    middle = starts + (ends - starts) // 2
    even = (ends - starts) % 2 == 0
    median = (quality[middle - even] + quality[middle]) / 2
    return [
        Folder(
            name=scores.folders[folder[starts[each]]],
            images=int(images[folder[starts[each]]]),
            faces=int(ends[each] - starts[each]),
            median=float(median[each]),
            worst=float(quality[starts[each]]),
            best=float(quality[ends[each] - 1]),
            best_row=int(scores.row[order[ends[each] - 1]]),
        )
        for each in np.argsort(median, kind="stable")[:most]
    ]
