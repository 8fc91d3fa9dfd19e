"""`fiqa filter`: keep the rows of a report that meet criteria, and act on their images."""

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fiqa_cli.cli.console import complain, console
from fiqa_cli.cli.options import REPORT, Format, Output, Quiet
from fiqa_cli.errors import FiqaError
from fiqa_cli.records.row import STATUSES

if TYPE_CHECKING:
    from fiqa_cli.records.criteria import Criteria
    from fiqa_cli.records.readers import Reader
    from fiqa_cli.records.transfer import Transfer
    from fiqa_cli.records.writers import Writer

CRITERIA, IMAGES = "Criteria", "Images"


def filter_(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="REPORT|-",
            help="CSV, JSON, JSONL or Parquet; else stdin.",
            show_default=False,
        ),
    ] = None,
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
    invert: Annotated[
        bool,
        typer.Option("--invert", rich_help_panel=CRITERIA, help="Exactly the other rows."),
    ] = False,
    output: Output = None,
    format: Format = None,
    paths: Annotated[
        bool,
        typer.Option("--paths", "-p", rich_help_panel=REPORT, help="Each image's path, once."),
    ] = False,
    null: Annotated[
        bool, typer.Option("--null", "-0", rich_help_panel=REPORT, help="Paths, ended by NUL.")
    ] = False,
    copy_to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", rich_help_panel=IMAGES, help="Copy the images of kept rows."),
    ] = None,
    move_to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", rich_help_panel=IMAGES, help="Move the images of kept rows."),
    ] = None,
    link_to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", rich_help_panel=IMAGES, help="Link to them, symbolically."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", rich_help_panel=IMAGES, help="Only say what would be done.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Keep the rows of a report that meet all criteria; with none, convert it.

    Order: status, min and max; then per-folder; then keep and top.
    Rows without a quality (no face, unreadable) meet none of them but status.
    Of rows with equal quality the earlier is kept; rows stay unchanged, in order.

    Images keep their folders, from the one common to all images of the report.
    Nothing is overwritten. Links are relative where the paths are.
    Images in tar files, .rec, .bin, Parquet, videos or behind URLs can be copied only.
    """
    from fiqa_cli.records.criteria import Criteria
    from fiqa_cli.records.formats import output_format
    from fiqa_cli.records.manifest import Manifest, write_manifest
    from fiqa_cli.records.writers import open_path_writer, open_writer

    if keep is not None and not 0 < keep <= 1:
        raise FiqaError("--keep takes a fraction above 0 and up to 1, such as 0.8")
    if (paths or null) and format:
        raise FiqaError("--paths writes paths, not rows: leave out --paths or --format")
    criteria = Criteria(min, max, _statuses(status), per_folder, keep, top, invert)
    action, transfer = _transfer(copy=copy_to, move=move_to, link=link_to)
    if dry_run and not transfer:
        raise FiqaError("--dry-run goes with --copy-to, --move-to or --link-to")
    source = _input(source, output)
    manifest = Manifest(
        options={"input": source and str(source), **asdict(criteria), "paths": paths or null}
    )

    def open_output(reader: "Reader") -> "AbstractContextManager[Writer | None]":
        if paths or null:
            return open_path_writer(output, null)
        if transfer and sys.stdout.isatty() and not (output or format):
            # Who acts on images at a terminal wants to see that, not the rows.
            return nullcontext()
        return open_writer(output, output_format(output, format, reader.format))

    try:
        counts = _filter(source, criteria, open_output, transfer)
    except BrokenPipeError:
        if not transfer:
            raise
        raise FiqaError(
            f"the rows were not read to their end: no image was touched; use -o to {action}"
        ) from None
    if output and output.is_file():
        manifest.finish(counts)
        write_manifest(output, manifest)
    if not quiet:
        console.print(f"kept {counts['kept']:,} of {counts['read']:,} rows")
    if transfer and _run(transfer, action, dry_run, quiet):
        raise typer.Exit(1)


def _filter(
    source: Path | None,
    criteria: "Criteria",
    open_output: "Callable[[Reader], AbstractContextManager[Writer | None]]",
    transfer: "Transfer | None",
) -> dict[str, int]:
    """Write the rows that stay and tell `transfer` of their images; counts what was read, kept."""
    from fiqa_cli.records.criteria import filter_batches
    from fiqa_cli.records.readers import open_reader

    read = kept = 0
    with (
        open_reader(source, replay=criteria.ranks) as reader,
        open_output(reader) as writer,
    ):
        for batch, rest in filter_batches(reader, criteria):
            read += len(batch)
            kept += len(rest)
            if writer:
                writer.write_batch(rest)
            if transfer:
                transfer.see(batch.paths())
                transfer.choose(rest.paths())
    return {"read": read, "kept": kept}


def _run(transfer: "Transfer", action: str, dry_run: bool, quiet: bool) -> int:
    """Transfer the images, or only say so; the number of failures."""
    from fiqa_cli.records.table import printable

    done = 0

    def report(source: str, target: Path, trouble: str) -> None:
        nonlocal done
        if trouble:
            complain(f"cannot {action} {printable(source)}: {printable(trouble)}")
            return
        done += 1
        if dry_run:
            console.print(
                f"would {action} {printable(source)} to {printable(str(target))}",
                markup=False,
                soft_wrap=True,
            )

    failures = transfer.run(report, dry_run)
    if not quiet:
        console.print(f"{action}: {done:,} images{' (dry run)' if dry_run else ''}")
    return failures


def _statuses(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    statuses = tuple(part.strip() for part in text.split(","))
    if unknown := set(statuses) - set(STATUSES):
        raise FiqaError(f"no status {', '.join(sorted(unknown))}: choose of {', '.join(STATUSES)}")
    return statuses


def _transfer(**destinations: Path | None) -> "tuple[str, Transfer | None]":
    """The action that was asked for, and the transfer that does it."""
    from fiqa_cli.records.transfer import Transfer, copy, link, move
    from fiqa_cli.sources.member import path_if_unpacked, take_out
    from fiqa_cli.zoo.download import is_offline

    asked = [(action, folder) for action, folder in destinations.items() if folder is not None]
    if not asked:
        return "", None
    if len(asked) > 1:
        raise FiqaError("choose one of --copy-to, --move-to and --link-to")
    action, folder = asked[0]
    place = {"copy": copy, "move": move, "link": link}[action]
    copy_out = partial(take_out, offline=is_offline()) if action == "copy" else None
    return action, Transfer(place, folder, path_if_unpacked, copy_out)


def _input(source: Path | None, output: Path | None) -> Path | None:
    """The file to read, `None` for standard input."""
    if source == Path("-"):
        source = None
    if source is None and sys.stdin.isatty():
        raise FiqaError("no report: name a file, or pipe 'fiqa score' into 'fiqa filter'")
    if output and _same(source, output):
        raise FiqaError(f"{output} is the input too: write to another file")
    return source


def _same(source: Path | None, output: Path) -> bool:
    try:
        status = source.stat() if source else os.fstat(sys.stdin.fileno())
        return os.path.samestat(status, output.stat())
    except OSError:
        return False
