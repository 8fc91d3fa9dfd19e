"""`fiqa filter`: keep the rows of a report that meet criteria, and act on their images."""

from typing import Annotated

import typer

from fiqa_cli.cli.options import Format, Output, Quiet
from fiqa_cli.cli.report_source import Model, Source
from fiqa_cli.cli.selection import CopyTo, DryRun, LinkTo, MoveTo, Null, Paths, Selection, select
from fiqa_cli.errors import FiqaError
from fiqa_cli.records.row import STATUSES

CRITERIA = "Criteria"


def filter_(
    source: Source = None,
    min: Annotated[
        float | None, typer.Option(rich_help_panel=CRITERIA, help="Least quality, inclusive.")
    ] = None,
    max: Annotated[
        float | None, typer.Option(rich_help_panel=CRITERIA, help="Greatest quality, inclusive.")
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=CRITERIA,
            metavar="STATUS[,STATUS]",
            help=f"Any of {', '.join(STATUSES)}.",
        ),
    ] = None,
    per_folder: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="K", rich_help_panel=CRITERIA, help="Best K rows of each folder."
        ),
    ] = None,
    keep: Annotated[
        float | None,
        typer.Option(
            metavar="FRACTION", rich_help_panel=CRITERIA, help="Best part of the scored rows."
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", rich_help_panel=CRITERIA, help="Best N rows of all."),
    ] = None,
    model: Model = None,
    invert: Annotated[
        bool,
        typer.Option("--invert", rich_help_panel=CRITERIA, help="Exactly the other rows."),
    ] = False,
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
    """Keep the rows of a report that meet all criteria; with none, convert it.

    Order: model, status, min and max; then per-folder; then keep and top.
    Rows without a quality (no face, unreadable) meet none but model and status.
    Of rows with equal quality the earlier is kept; rows stay unchanged, in order.

    Images keep their folders, from the one common to all images of the report.
    Nothing is overwritten, and 'fiqa undo DIR' takes it back. Given again, the command goes on
    where it was cut short. Links are relative where the paths are.
    Images in tar files, .rec, .bin, Parquet, videos or behind URLs can be copied only.

    Examples:

    fiqa filter scores.parquet --min 0.5 --copy-to good

    fiqa score images | fiqa filter --keep 0.8 --paths -0 | xargs -0 ls
    """
    from fiqa_cli.records.best import Best
    from fiqa_cli.records.criteria import Criteria

    if keep is not None and not 0 < keep <= 1:
        raise FiqaError("--keep takes a fraction above 0 and up to 1, such as 0.8")
    best = None if per_folder is None else Best(per_folder)
    criteria = Criteria(min, max, _statuses(status), best, keep, top, invert, model)
    places = {"copy": copy_to, "move": move_to, "link": link_to}
    select(
        "filter", source, criteria, Selection(output, format, paths, null, places, dry_run, quiet)
    )


def _statuses(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    statuses = tuple(part.strip() for part in text.split(","))
    if unknown := set(statuses) - set(STATUSES):
        raise FiqaError(f"no status {', '.join(sorted(unknown))}: choose of {', '.join(STATUSES)}")
    return statuses
