"""`fiqa threshold`: the least quality to keep, for a share, an error, or at the valley."""

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fiqa_cli.cli.console import console
from fiqa_cli.cli.options import REPORT, Quiet
from fiqa_cli.cli.report_source import Model, Source, named_source
from fiqa_cli.errors import FiqaError

if TYPE_CHECKING:
    from fiqa_cli.evaluation.wished import WishedPoint
    from fiqa_cli.records.cuts import Kept

CUT = "Cut (one of these)"


class NumberFormat(StrEnum):
    """How the cut is written."""

    NUMBER = "number"
    JSON = "json"


def threshold(
    source: Source = None,
    discard: Annotated[
        float | None,
        typer.Option(
            metavar="FRACTION",
            rich_help_panel=CUT,
            help="Discard this part of the faces with a quality at most, such as 0.1; equal "
            "qualities go together.",
        ),
    ] = None,
    fnmr: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="RATE",
            rich_help_panel=CUT,
            help="Discard as little as gives this false non-match rate, by --evaluation.",
        ),
    ] = None,
    valley: Annotated[
        bool,
        typer.Option(
            "--valley",
            rich_help_panel=CUT,
            help="The deepest valley between two peaks of the qualities: a Gaussian kernel "
            "density with Silverman's bandwidth; an error where there is none.",
        ),
    ] = False,
    evaluation: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="--fnmr: what 'fiqa evaluate … -o FILE.json' wrote; it may do alone.",
        ),
    ] = None,
    recogniser: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="--fnmr: the recogniser, if FILE has several."),
    ] = None,
    model: Model = None,
    format: Annotated[
        NumberFormat,
        typer.Option(
            "--format", "-f", rich_help_panel=REPORT, help="The cut alone, or all that is said."
        ),
    ] = NumberFormat.NUMBER,
    quiet: Quiet = False,
) -> None:
    """Print the least quality to keep, for 'fiqa filter --min'.

    The number goes to stdout with all its digits, and what it keeps to stderr. It is a quality
    that occurs in the report (or evaluation), and stays itself. 32 bytes a row are held.

    Example:

    fiqa filter scores.csv --min "$(fiqa threshold scores.csv --discard 0.1)"
    """
    from fiqa_cli.records.cuts import cut_at_discard, cut_at_valley, kept_at
    from fiqa_cli.records.readers import open_reader
    from fiqa_cli.records.scores import read_scores

    if [discard is not None, fnmr is not None, valley].count(True) != 1:
        raise FiqaError("choose one of --discard 0.1, --fnmr 0.01 and --valley")
    if (fnmr is None) != (evaluation is None):
        raise FiqaError("--fnmr and --evaluation go together: 'fiqa evaluate … -o FILE.json' first")
    scores = None
    if source is not None or evaluation is None:
        with open_reader(named_source(source, "threshold")) as reader:
            scores = read_scores(reader, model)
    point = None
    if evaluation is not None and fnmr is not None:
        from fiqa_cli.evaluation.wished import point_at_fnmr

        point = point_at_fnmr(
            evaluation, fnmr, model or (scores.model if scores else None), recogniser
        )
        cut = point.quality
    elif scores is not None:
        quality = scores.quality[scores.scored]
        cut = cut_at_valley(quality) if discard is None else cut_at_discard(quality, discard)
    kept = kept_at(scores, cut) if scores else None
    statuses = scores.statuses if scores else {}
    if format is NumberFormat.JSON:
        print(_document(cut, point, kept, statuses))
    else:
        print(repr(cut))
    if not quiet:
        _tell(point, kept, statuses)


def _document(
    cut: float, point: "WishedPoint | None", kept: "Kept | None", statuses: dict[str, int]
) -> str:
    document = {
        "threshold": cut,
        "wished": point and asdict(point),
        "kept": kept and asdict(kept),
        "statuses": statuses,
    }
    return json.dumps(document, ensure_ascii=False)


def _tell(point: "WishedPoint | None", kept: "Kept | None", statuses: dict[str, int]) -> None:
    lines = []
    if point is not None:
        lines.append(
            f"FNMR {point.fnmr:.4g} with {point.recogniser}, "
            f"{point.discard:.0%} of {point.mated:,} mated pairs discarded"
        )
    if kept is not None:
        lines.append(
            f"keeps {kept.faces:,} of {kept.all_faces:,} faces "
            f"({kept.faces / kept.all_faces:.1%}), in {kept.images:,} of {kept.all_images:,} "
            f"images and {kept.folders:,} of {kept.all_folders:,} folders"
        )
        without = {name: count for name, count in statuses.items() if name != "ok"}
        if without:
            told = ", ".join(f"{count:,} {name}" for name, count in without.items())
            lines.append(f"rows without a quality: {told}")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
