"""What `fiqa filter` and `fiqa best` share: rows that were chosen, their paths and images."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fiqa_cli.cli.console import complain, console
from fiqa_cli.cli.options import REPORT
from fiqa_cli.cli.report_source import named_source
from fiqa_cli.errors import FiqaError

if TYPE_CHECKING:
    from fiqa_cli.records.criteria import Criteria
    from fiqa_cli.records.readers import Reader
    from fiqa_cli.records.transfer import Transfer
    from fiqa_cli.records.writers import Writer

IMAGES = "Images"

Paths = Annotated[
    bool,
    typer.Option("--paths", "-p", rich_help_panel=REPORT, help="Each image's path, once."),
]
Null = Annotated[
    bool, typer.Option("--null", "-0", rich_help_panel=REPORT, help="Paths, ended by NUL.")
]
CopyTo = Annotated[
    Path | None,
    typer.Option(metavar="DIR", rich_help_panel=IMAGES, help="Copy the images of kept rows."),
]
MoveTo = Annotated[
    Path | None,
    typer.Option(metavar="DIR", rich_help_panel=IMAGES, help="Move the images of kept rows."),
]
LinkTo = Annotated[
    Path | None,
    typer.Option(metavar="DIR", rich_help_panel=IMAGES, help="Link to them, symbolically."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", rich_help_panel=IMAGES, help="Only say what would be done.")
]


@dataclass(frozen=True, slots=True)
class Selection:
    """Where chosen rows go, and what becomes of their images."""

    output: Path | None
    format: str | None
    paths: bool
    null: bool
    places: dict[str, Path | None]
    """The folder of each action on images: `copy`, `move` and `link`."""
    dry_run: bool
    quiet: bool


def select(command: str, source: Path | None, criteria: "Criteria", selection: Selection) -> None:
    """Pass on the rows of `source` that meet the `criteria`, and act on their images.

    Raises `FiqaError` for options that do not agree, and `typer.Exit` if an image failed.
    """
    from fiqa_cli.records.formats import output_format
    from fiqa_cli.records.manifest import Manifest, write_manifest
    from fiqa_cli.records.writers import open_path_writer, open_writer

    output, format = selection.output, selection.format
    paths = selection.paths or selection.null
    if paths and format:
        raise FiqaError("--paths writes paths, not rows: leave out --paths or --format")
    action, transfer = _transfer(selection.places)
    if selection.dry_run and not transfer:
        raise FiqaError("--dry-run goes with --copy-to, --move-to or --link-to")
    source = named_source(source, command, output)
    manifest = Manifest(
        options={"input": source and str(source), **asdict(criteria), "paths": paths}
    )

    def open_output(reader: "Reader") -> "AbstractContextManager[Writer | None]":
        if paths:
            return open_path_writer(output, selection.null)
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
    if not selection.quiet:
        console.print(f"kept {counts['kept']:,} of {counts['read']:,} rows")
    if transfer and _run(transfer, action, selection.dry_run, selection.quiet):
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
    with open_reader(source, replay=criteria.ranks) as reader:
        batches = filter_batches(reader, criteria)
        with open_output(reader) as writer:
            for batch, rest in batches:
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


def _transfer(places: dict[str, Path | None]) -> "tuple[str, Transfer | None]":
    """The action that was asked for, and the transfer that does it."""
    from fiqa_cli.records.transfer import Transfer
    from fiqa_cli.sources.member import path_if_unpacked, take_out
    from fiqa_cli.zoo.download import is_offline

    asked = [(action, folder) for action, folder in places.items() if folder is not None]
    if not asked:
        return "", None
    if len(asked) > 1:
        raise FiqaError("choose one of --copy-to, --move-to and --link-to")
    action, folder = asked[0]
    copy_out = partial(take_out, offline=is_offline()) if action == "copy" else None
    return action, Transfer(action, folder, path_if_unpacked, copy_out)
