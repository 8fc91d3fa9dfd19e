"""`fiqa doctor`: does it work here, and what should a bug report say?"""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fiqa_cli.cli.settings import known_options, read_settings

if TYPE_CHECKING:
    from fiqa_cli.doctor.finding import Finding

SOMETHING_WRONG = 1
"""Exit code."""
_NAME = 16


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at versions, devices, weights, cache and settings, and score a picture to see it works.

    The output is meant for bug reports: the home folder is told as ~, passwords in addresses not
    at all. Exit code 1 if something is wrong; what to do about it stands below.

    Examples:

    fiqa doctor

    fiqa doctor --json | jq '.findings[] | select(.remedy != "")'
    """
    from fiqa_cli.doctor.examination import examine

    options = known_options(context.find_root().command)
    findings = examine(lambda: read_settings(Path.cwd(), options))
    if as_json:
        told = list(findings)
        wrong = sum(bool(finding.remedy) for finding in told)
        report = {"fine": not wrong, "findings": [asdict(finding) for finding in told]}
        typer.echo(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        wrong = _tell(findings)
    if wrong:
        raise typer.Exit(SOMETHING_WRONG)


def _tell(findings: "Iterable[Finding]") -> int:
    """Print findings as they come; how many of them are wrong."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)

    def line(text: str, style: str | None = None) -> None:
        console.print(text, style=style, soft_wrap=True)

    section, wrong = "", 0
    for finding in findings:
        if finding.section != section:
            section = finding.section
            line(section, "bold")
        mark = "!" if finding.remedy else " "
        line(f"{mark} {finding.name:<{_NAME}} {finding.value}", "red" if finding.remedy else None)
        if finding.remedy:
            wrong += 1
            line(f"  {'':<{_NAME}} remedy: {finding.remedy}", "red")
    line(f"{wrong} wrong: see the lines with !" if wrong else "everything works")
    return wrong
