"""The page of one report, or of two models on the same images."""

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fiqa_cli import __version__
from fiqa_cli.records.readers import open_reader
from fiqa_cli.records.scores import Scores, read_scores
from fiqa_cli.records.table import printable
from fiqa_cli.report.agreement import agreement_of
from fiqa_cli.report.facts import (
    agreement_facts,
    cut_facts,
    first_cut,
    folder_facts,
    missing_note,
    shown_facts,
    status_facts,
)
from fiqa_cli.report.figure import BLANK, Faces
from fiqa_cli.report.folders import folders_of
from fiqa_cli.report.histogram import histogram_of
from fiqa_cli.report.rendering import render
from fiqa_cli.report.shown import choose_shown, read_shown
from fiqa_cli.report.thumbnails import SIDE, SMALL_SIDE, Key, Thumbnail, thumbnails

Watch = Callable[[Iterable[tuple[Key, Thumbnail]], int], Iterable[tuple[Key, Thumbnail]]]


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and what it shows."""

    html: str
    faces: int
    """Those of the report with a quality."""
    pictures: int
    """How many were wanted."""
    missing: dict[str, int]
    """How many of them are placeholders, by reason."""


def make_page(
    reports: Sequence[Path | None],
    models: Sequence[str] = (),
    minimum: float | None = None,
    gallery: int = 24,
    watch: Watch = lambda pictures, count: pictures,
) -> Page:
    """The page of a report, `None` for standard input, and perhaps of a second one to compare.

    `models` chooses rows of each report, `minimum` is the first cut, `gallery` the number of
    faces in each gallery; 0 shows none. `watch` sees the pictures as they come, and their number.
    Images are looked for at the paths of the rows.

    Raises `FiqaError` for reports that cannot be read or have no quality, or none in common.
    """
    names = [*models, *[None] * (len(reports) - len(models))]
    agreement = None
    with open_reader(reports[0], replay=True) as reader:
        scores = read_scores(reader, names[0])
        quality = np.sort(scores.quality[scores.scored])
        cut, start = first_cut(quality, minimum)
        if len(reports) > 1:
            with open_reader(reports[1]) as second:
                other = read_scores(second, names[1])
            agreement = agreement_of(scores, other, gallery // 3)
        folders = folders_of(scores)
        shown = choose_shown(scores, cut, gallery)
        large = [*shown.best, *shown.worst, *shown.sampled.tolist()]
        if agreement:
            large += [each.row for each in agreement.disagreements]
        small = [folder.best_row for folder in folders] if gallery else []
        rows = read_shown(reader, np.array([*shown.listed.tolist(), *large, *small], np.int64))
    wanted = dict.fromkeys([(row, SIDE) for row in large] + [(row, SMALL_SIDE) for row in small])
    pictures = dict(watch(thumbnails(rows, wanted), len(wanted)))
    missing = Counter(picture.reason for picture in pictures.values() if not picture.uri)
    faces = Faces(rows, pictures, histogram_of(quality), quality)
    facts = {
        "version": __version__,
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "title": " and ".join(_name(report) for report in reports),
        "model": printable(scores.model),
        "start": start,
        "pictures": gallery > 0,
        "missing": missing_note(missing, len(wanted)),
        "statuses": status_facts(scores.statuses),
        "rows": len(scores.row),
        "folders": [folder_facts(folder, faces) for folder in folders],
        "best": [faces.figure(place) for place in shown.best],
        "worst": [faces.figure(place) for place in shown.worst],
        "blank": BLANK,
        "command": f"fiqa filter {_argument(reports[0])}",
        "agreement": agreement
        and agreement_facts(agreement, faces, _labels(reports, scores, other)),
        **cut_facts(scores, cut, faces.histogram),
        **shown_facts(shown, faces),
    }
    return Page(render(facts), len(quality), len(wanted), dict(missing))


def _name(report: Path | None) -> str:
    return "standard input" if report is None else printable(report.name)


def _argument(report: Path | None) -> str:
    """The report as a shell takes it; REPORT where it has no name that can be shown."""
    if report is None or printable(str(report)) != str(report):
        return "REPORT"
    return shlex.quote(f"./{report}" if str(report).startswith("-") else str(report))


def _labels(reports: Sequence[Path | None], one: Scores, other: Scores) -> tuple[str, str]:
    """The names of two models, or of their files where those do not tell them apart."""
    if one.model and other.model and one.model != other.model:
        return printable(one.model), printable(other.model)
    return _name(reports[0]), _name(reports[1])
