"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

REPORT = "Report"

Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        rich_help_panel=REPORT,
        help="Write to FILE, and how it came about to FILE.manifest.json.",
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="csv|json|jsonl|parquet",
        rich_help_panel=REPORT,
        help="Else what the name of FILE says; else as the input, or csv; a table on a terminal.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", rich_help_panel=REPORT, help="No progress and no summary."),
]
