"""What the page says of numbers, as its template takes them."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.cuts import cut_at_discard, cut_at_valley, kept_at
from fiqa_cli.records.scores import Scores
from fiqa_cli.records.table import printable
from fiqa_cli.report.agreement import Agreement
from fiqa_cli.report.figure import Faces
from fiqa_cli.report.folders import Folder
from fiqa_cli.report.histogram import Histogram, ticks
from fiqa_cli.report.shown import Shown
from fiqa_cli.report.stops import stops_of
from fiqa_cli.report.thumbnails import SMALL_SIDE

DISCARDS = (0.01, 0.05, 0.1, 0.2)
"""Shares that a button discards."""

SPREAD_WIDTH = 120
"""Pixels of the small axis on which a folder's spread is drawn."""

_MEANINGS = {
    "ok": "a face with a quality",
    "no-face": "no face was found in the image",
    "unreadable": "the file gave no image",
    "too-small": "the face is smaller than was asked for",
    "failed": "scoring failed; the row's error says why",
}


def valley_of(quality: NDArray[np.float64]) -> float | None:
    """The cut at the valley of qualities `[N]`, if they have one."""
    try:
        return cut_at_valley(quality)
    except FiqaError:
        return None


def first_cut(quality: NDArray[np.float64], minimum: float | None) -> tuple[float, str]:
    """Where the slider starts, a quality that occurs, and why."""
    if minimum is not None:
        above = quality[quality >= minimum]
        if not len(above):
            raise FiqaError(f"no quality is {minimum:g} or more: the best is {quality.max():g}")
        return float(above.min()), "The line starts where it was asked to."
    valley = valley_of(quality)
    if valley is not None:
        return valley, "The line starts at the valley between the two peaks."
    return (
        cut_at_discard(quality, 0.1),
        "The qualities have no valley, so the line starts where a tenth is discarded.",
    )


def cut_facts(scores: Scores, cut: float, histogram: Histogram) -> dict[str, Any]:
    """The slider, and what stays where it starts."""
    quality = scores.quality[scores.scored]
    presets = {f"discard {_percent(share)}": cut_at_discard(quality, share) for share in DISCARDS}
    if (valley := valley_of(quality)) is not None:
        presets["valley"] = valley
    stops = stops_of(scores, [cut, *presets.values()])
    kept = kept_at(scores, cut)
    totals = {"faces": kept.all_faces, "images": kept.all_images, "folders": kept.all_folders}
    live = {
        "cut": cut,
        "totals": totals,
        "axis": {name: getattr(histogram, name) for name in ("low", "high", "decimals")},
        "stops": {
            name: getattr(stops, name).tolist()
            for name in ("quality", "faces", "images", "folders")
        },
    }
    return {
        "cut": repr(cut),
        "kept": kept,
        "totals": totals,
        "median": histogram.text(float(np.median(quality))),
        "axis": axis_facts(histogram, cut),
        "presets": [{"label": label, "cut": repr(value)} for label, value in presets.items()],
        "all_stops": stops.all,
        "stop_count": len(stops.quality),
        "live_cut": live,
    }


def shown_facts(shown: Shown, faces: Faces) -> dict[str, Any]:
    """The faces along the slider: those that are named, and those of them with a picture."""
    total = len(faces.rising)
    listed, sampled = shown.listed.tolist(), shown.sampled.tolist()
    rows = [faces.rows[place] for place in listed]
    number = {place: at for at, place in enumerate(listed)}
    figures = [(number[place], faces.figure(place)) for place in sampled]
    return {
        "live_faces": {
            "listed": {
                "quality": [row.quality for row in rows],
                "path": [printable(row.path) for row in rows],
                "face": [row.face for row in rows],
            },
            "sampled": [
                {
                    "place": place,
                    **{name: getattr(figure, name) for name in ("name", "facts", "uri", "reason")},
                }
                for place, figure in figures
            ],
        },
        "sampled_note": _sample_note("have a picture", len(sampled), total),
        "listed_note": _sample_note("are listed", len(listed), total),
    }


def _sample_note(what: str, count: int, total: int) -> str:
    if count == total:
        return f"All {total:,} faces {what}."
    return (
        f"{count:,} of {total:,} faces {what}, spread evenly over the ranks and "
        "dense where the line starts; shown are the nearest of them."
    )


def missing_note(missing: Mapping[str, int], wanted: int) -> str:
    """What could not be shown, and why."""
    if not missing:
        return ""
    reasons = ", ".join(f"{count:,} {printable(reason)}" for reason, count in missing.items())
    return (
        f"{sum(missing.values()):,} of {wanted:,} pictures could not be made ({reasons}); "
        "relative paths count from the folder in which this report is made."
    )


def axis_facts(histogram: Histogram, cut: float) -> dict[str, Any]:
    """The bars, in percent of the plot, and the axis."""
    peak = int(histogram.counts.max())
    step = 100 / len(histogram.counts)
    bars = []
    for number, count in enumerate(histogram.counts.tolist()):
        # The least bar is still seen.
        height = max(100 * count / peak, 0.6) if count else 0.0
        bars.append(
            {
                "x": _short(number * step + step * 0.06),
                "width": _short(step * 0.88),
                "y": _short(100 - height),
                "height": _short(height),
            }
        )
    return {
        "bars": bars,
        "peak": peak,
        "low": histogram.text(histogram.low),
        "high": histogram.text(histogram.high),
        "cut": _short(histogram.place(cut)),
        "slider": round(10 * histogram.place(cut)),
        "ticks": [
            {"x": _short(histogram.place(tick)), "text": f"{tick:,.12g}"}
            for tick in ticks(histogram.low, histogram.high)
        ],
    }


def folder_facts(folder: Folder, faces: Faces) -> dict[str, Any]:
    """A line of the table of folders."""
    qualities = {"worst": folder.worst, "median": folder.median, "best": folder.best}
    shot = faces.pictures.get((folder.best_row, SMALL_SIDE))
    return {
        "name": printable(folder.name) or ".",
        "images": folder.images,
        "faces": folder.faces,
        "exact": {name: repr(quality) for name, quality in qualities.items()},
        "places": {
            name: _short(faces.histogram.place(quality) * SPREAD_WIDTH / 100)
            for name, quality in qualities.items()
        },
        "shot": shot and faces.figure(folder.best_row, side=SMALL_SIDE),
        **{name: faces.histogram.text(quality) for name, quality in qualities.items()},
    }


def status_facts(statuses: dict[str, int]) -> list[dict[str, Any]]:
    """A line for each status."""
    return [
        {"name": printable(name) or "none", "count": count, "meaning": _MEANINGS.get(name, "")}
        for name, count in statuses.items()
    ]


def agreement_facts(agreement: Agreement, faces: Faces, names: tuple[str, str]) -> dict[str, Any]:
    """What two models share, in figures and as paths of a plot of 100 by 100."""
    only = [
        f"{count:,} more by {name} alone"
        for count, name in zip(agreement.only, names, strict=True)
        if count
    ]
    known = not math.isnan(agreement.correlation)
    drawn = len(agreement.dots)
    sides = [("first", names[0], agreement.first_higher)]
    sides.append(("second", names[1], agreement.second_higher))
    return {
        "names": names,
        "common": agreement.common,
        "only": ", ".join(only),
        "correlation": f"{agreement.correlation:.3f}" if known else "–",
        "worst_in_common": _percent(agreement.worst_in_common),
        "dots": _dots(agreement.dots.tolist()),
        "first_dots": _dots(each.share for each in agreement.first_higher),
        "second_dots": _dots(each.share for each in agreement.second_higher),
        "note": f"The plot shows {drawn:,} of the faces, drawn at random."
        if drawn < agreement.common
        else "",
        "sides": [
            {
                "mark": mark,
                "name": name,
                "faces": [
                    faces.figure(
                        each.row, "{:.0f} : {:.0f}".format(*(100 * share for share in each.share))
                    )
                    for each in side
                ]
                if faces.pictures
                else [],
            }
            for mark, name, side in sides
        ],
    }


def _percent(share: float) -> str:
    """A share with a narrow space before its sign, as all over the page."""
    return f"{100 * share:.0f}\u202f%"


def _dots(shares: Iterable[Iterable[float]]) -> str:
    return "".join(f"M{_short(100 * x)} {_short(100 - 100 * y)}h0" for x, y in shares)


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
