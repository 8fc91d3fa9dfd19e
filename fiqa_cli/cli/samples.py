"""`fiqa samples`: photos to try fiqa on."""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from fiqa_cli.cli.console import console


def samples(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Made if it does not exist.")],
) -> None:
    """Write sample photos: a group, an astronaut, a cat, and worse and worse copies.

    The copies are blurred, small, noisy and dark in four grades each, 1 mild and 4 strong. The
    paths go to stdout, one a line, as 'fiqa score -' reads them.

    Example:

    fiqa samples photos | fiqa score -
    """
    from fiqa_cli.samples import write_samples

    paths = list(write_samples(folder))  # all of them, also when the reader wants only a few
    sys.stdout.buffer.write(b"".join(os.fsencode(path) + b"\n" for path in paths))
    console.print(
        f"{len(paths)} photos written to {folder}; next: fiqa score {shlex.quote(str(folder))}",
        markup=False,
        soft_wrap=True,
    )
