"""A face as the page shows it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.records.row import Row
from fiqa_cli.records.table import printable
from fiqa_cli.report.histogram import Histogram
from fiqa_cli.report.thumbnails import SIDE, Key, Thumbnail


@dataclass(frozen=True, slots=True)
class Figure:
    """Texts as they are, which the page escapes."""

    path: str
    name: str
    """The end of the path: image and folder."""
    quality: str
    caption: str
    facts: str
    """What the row knows beyond the quality."""
    uri: str
    reason: str
    """Why there is no picture, if there is none."""


BREAK = "\u200b"
"""A space without width, where a long name breaks."""

BLANK = Figure("", "", "", "", "", "", "")


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Rows by their place in the report, with what their figures take."""

    rows: dict[int, Row]
    pictures: dict[Key, Thumbnail]
    histogram: Histogram
    rising: NDArray[np.float64]
    """All qualities of the report."""

    def figure(self, place: int, caption: str = "", side: int = SIDE) -> Figure:
        """The figure of a row, under its quality or another `caption`.

        Odd characters of its path are escaped as on a terminal.
        """
        row = self.rows[place]
        quality = row.quality if row.quality is not None else np.nan
        below, total = int(np.searchsorted(self.rising, quality)), len(self.rising)
        path, text = printable(row.path), self.histogram.text(quality)
        picture = self.pictures[place, side]
        return Figure(
            path=path,
            name=f"/{BREAK}".join(path.split("/")[-2:]),
            quality=text,
            caption=caption or text,
            facts="; ".join([f"better than {below:,} of {total:,} faces", *_facts(row)]),
            uri=picture.uri,
            reason=picture.reason,
        )


def _facts(row: Row) -> list[str]:
    facts = []
    if row.face is not None:
        facts.append(f"face {row.face} of its image")
    if row.box is not None:
        x1, y1, x2, y2 = row.box
        facts.append(f"box {x2 - x1:.0f}×{y2 - y1:.0f} pixels")
    if row.inter_eye is not None:
        facts.append(f"eyes {row.inter_eye:.0f} pixels apart")
    if row.det_score is not None:
        facts.append(f"detector's score {row.det_score:.2f}")
    if row.width is not None and row.height is not None:
        facts.append(f"image {row.width}×{row.height} pixels")
    return facts
