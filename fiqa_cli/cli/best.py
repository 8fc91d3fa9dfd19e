"""`fiqa best`: the best shots of each person, video or other group of a report."""

from typing import Annotated

import typer

from fiqa_cli.cli.options import Format, Output, Quiet
from fiqa_cli.cli.report_source import Model, Source
from fiqa_cli.cli.selection import CopyTo, DryRun, LinkTo, MoveTo, Null, Paths, Selection, select
from fiqa_cli.errors import FiqaError


def best(
    source: Source = None,
    number: Annotated[
        int, typer.Option("--number", "-n", min=1, metavar="N", help="Rows of each group.")
    ] = 1,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="folder|video|COLUMN",
            help="What makes a group: the folder that holds an image, the video of a frame, or a "
            "column of the report; repeated, all of them together.",
            show_default="folder",
        ),
    ] = None,
    apart: Annotated[
        str | None,
        typer.Option(
            metavar="SECONDS",
            help="Frames of a video (clip.mp4::12.5s) lie at least this far apart, such as 1s.",
        ),
    ] = None,
    model: Model = None,
    output: Output = None,
    format: Format = None,
    paths: Paths = False,
    null: Null = False,
    copy_to: CopyTo = None,
    move_to: MoveTo = None,
    link_to: LinkTo = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Keep the best shots of each group: person, video, track.

    Taken by falling quality, of equals the earlier; with --apart, one too close to a better one
    is passed over. Rows stay unchanged, in order. Images are treated as by 'fiqa filter'.

    Example:

    fiqa best scores.csv -n 3 --copy-to best
    """
    from fiqa_cli.records.best import Best
    from fiqa_cli.records.criteria import Criteria
    from fiqa_cli.records.groups import FOLDER

    criteria = Criteria(best=Best(number, tuple(by or [FOLDER]), _seconds(apart)), model=model)
    places = {"copy": copy_to, "move": move_to, "link": link_to}
    select("best", source, criteria, Selection(output, format, paths, null, places, dry_run, quiet))


def _seconds(text: str | None) -> float:
    if text is None:
        return 0.0
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise FiqaError(f"--apart {text!r} is no number of seconds, such as 1s or 0.5")
    return seconds
