"""Tables of an evaluation for people, in the layout of the field's papers."""

from collections.abc import Sequence
from typing import TextIO

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fiqa_cli.evaluation.bootstrap import CONFIDENCE
from fiqa_cli.evaluation.comparison import MEAN, Evaluation, Outcome, Standing
from fiqa_cli.evaluation.pauc import Kind
from fiqa_cli.evaluation.report import operating_points
from fiqa_cli.records.row import shortest

WIDTH = 160
"""Characters of a line where no terminal says how many there are."""

_STYLES = {1: "bold green", 2: "cyan", 3: "yellow"}
_KINDS: dict[Kind, str] = {
    "normalised": "normalised by {error}(0) * limit: 1 says nothing, less is better",
    "raw": "raw, less is better",
    "above_best": "less the area of the theoretical best, less is better",
}


def print_tables(
    evaluation: Evaluation, stream: TextIO, kind: Kind = "normalised", at: Sequence[float] = ()
) -> None:
    """Print the definition, a table of areas for each recogniser and one of the means.

    With resamples come intervals and, last, how often each measure is below each other; with
    shares `at` the error and the least quality at these shares of discarded pairs. The best
    three are numbered, and coloured on a terminal.
    """
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(file=stream, highlight=False, markup=False, emoji=False, width=WIDTH)
    for line in _head(evaluation, kind):
        console.print(line, soft_wrap=True)
    standings = evaluation.standings
    for standing in standings:
        console.print(f"\n{_title(evaluation, standing)}", style="bold", soft_wrap=True)
        console.print(_areas(evaluation, standing, kind))
        if at and standing.outcome is not None:
            console.print()
            console.print(_operating_points(evaluation, standing.outcome, at))
    last = standings[-1]
    if last.resampled is not None and len(evaluation.measures) > 1:
        for limit in evaluation.limits:
            console.print(
                f"\n{last.recogniser}: % of {evaluation.resamples:,} resamples in which the row's "
                f"pAUC({limit:g}) is below the column's",
                style="bold",
                soft_wrap=True,
            )
            console.print(_shares_below(evaluation, last, kind, limit))


def _head(evaluation: Evaluation, kind: Kind) -> list[str]:
    definition = evaluation.definition
    about = _KINDS[kind].format(error=definition.error.upper())
    marks = "; (1), (2), (3): the best three" if len(evaluation.measures) > 1 else ""
    lines = [
        f"{definition}; faces without quality: {evaluation.missing}",
        f"pAUC {about}{marks}",
    ]
    if evaluation.resamples:
        lines.append(
            f"[low, high]: {CONFIDENCE:.0%} of {evaluation.resamples:,} resamples of identities, "
            f"seed {evaluation.seed}"
        )
    return lines


def _title(evaluation: Evaluation, standing: Standing) -> str:
    outcome = standing.outcome
    if outcome is None:
        return f"{MEAN} over {len(evaluation.outcomes)} recognisers"
    dropped = f", {outcome.dropped:,} pairs dropped" if outcome.dropped else ""
    return (
        f"{outcome.recogniser}: {outcome.mated:,} mated and {outcome.non_mated:,} non-mated pairs"
        f"{dropped}, threshold {outcome.threshold:.4f}, "
        f"{evaluation.definition.error.upper()}(0) {outcome.error:.4f}"
    )


def _areas(evaluation: Evaluation, standing: Standing, kind: Kind) -> Table:
    table = _table("measure", *(f"pAUC({limit:g})" for limit in evaluation.limits))
    ranks = standing.ranks(kind)
    for row, measure in enumerate(evaluation.measures):
        cells = []
        for column, limit in enumerate(evaluation.limits):
            area, rank = standing.areas[kind][row, column], int(ranks[row, column])
            marked = len(evaluation.measures) > 1 and rank in _STYLES and not np.isnan(area)
            style = _STYLES[rank] if marked else ""
            cell = Text(f"{area:.4f}", style)
            cell.append(f" ({rank})" if marked else "    ")
            if standing.resampled is not None:
                low, high = standing.resampled.interval(measure, limit, CONFIDENCE, kind)
                cell.append(f" [{low:.4f}, {high:.4f}]", "not bold default")
            cells.append(cell)
        table.add_row(measure, *cells)
    return table


def _operating_points(evaluation: Evaluation, outcome: Outcome, at: Sequence[float]) -> Table:
    error = evaluation.definition.error.upper()
    heads = [head for share in at for head in (f"{error} at {share:.0%}", "quality from")]
    table = _table("measure", *heads)
    points = operating_points(outcome, at)
    for place in range(0, len(points), len(at)):
        cells = []
        for point in points[place : place + len(at)]:
            quality = point["quality"]
            # All digits, for rows of just this quality are to stay.
            cells += [f"{point['error']:.4f}", "-" if quality is None else f"{shortest(quality)}"]
        table.add_row(points[place]["measure"], *cells)
    return table


def _shares_below(evaluation: Evaluation, standing: Standing, kind: Kind, limit: float) -> Table:
    measures = evaluation.measures
    table = _table("measure", *(f"{number}" for number in range(1, len(measures) + 1)))
    for number, measure in enumerate(measures, 1):
        cells = [
            ""
            if other == measure or standing.resampled is None
            else f"{standing.resampled.share_below(measure, other, limit, kind):.1%}"
            for other in measures
        ]
        table.add_row(f"{number}  {measure}", *cells)
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(first, overflow="fold")
    for head in others:
        table.add_column(head, justify="right", no_wrap=True)
    return table
