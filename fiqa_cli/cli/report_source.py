"""The report that a command reads: a file, or standard input."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from fiqa_cli.errors import FiqaError

Source = Annotated[
    Path | None,
    typer.Argument(
        metavar="REPORT|-",
        help="CSV, JSON, JSONL or Parquet; else stdin.",
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="NAME", help="The model, if REPORT has several."),
]


def named_source(source: Path | None, command: str, output: Path | None = None) -> Path | None:
    """The file to read, `None` for standard input.

    Raises `FiqaError` where nothing is piped into `command`, and if it is the `output` too.
    """
    if source == Path("-"):
        source = None
    if source is None and sys.stdin.isatty():
        raise FiqaError(f"no report: name a file, or pipe 'fiqa score' into 'fiqa {command}'")
    if output and _same(source, output):
        raise FiqaError(f"{output} is the input too: write to another file")
    return source


def _same(source: Path | None, output: Path) -> bool:
    try:
        status = source.stat() if source else os.fstat(sys.stdin.fileno())
        return os.path.samestat(status, output.stat())
    except OSError:
        return False
