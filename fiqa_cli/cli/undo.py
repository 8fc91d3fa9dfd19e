"""`fiqa undo`: take back what `fiqa filter` did to image files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fiqa_cli.cli.console import complain, console
from fiqa_cli.cli.options import Quiet

if TYPE_CHECKING:
    from fiqa_cli.records.transfer_journal import Act


def undo(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="What --copy-to, --move-to or --link-to named.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be taken back.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Take back the latest 'fiqa filter --copy-to, --move-to or --link-to' into DIR.

    Moved images go back to where they were; copies and links are removed, unless they were changed.
    Nothing is overwritten. Once more takes back the one before.

    Example:

    fiqa undo good
    """
    from fiqa_cli.records import undo as undoing
    from fiqa_cli.records.table import printable

    done = 0

    def report(act: "Act", trouble: str) -> None:
        nonlocal done
        target = printable(str(act.target))
        if trouble:
            complain(f"cannot take back {target}: {printable(trouble)}")
            return
        done += 1
        if dry_run:
            aim = f"move {target} back to {printable(act.source)}"
            console.print(
                f"would {aim if act.kind == 'move' else f'remove {target}'}",
                markup=False,
                soft_wrap=True,
            )

    failures = undoing.undo(folder, report, dry_run)
    if not quiet:
        console.print(f"undo: {done:,} images{' (dry run)' if dry_run else ''}")
    if failures:
        raise typer.Exit(1)
