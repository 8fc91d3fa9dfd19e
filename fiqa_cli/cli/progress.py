"""The progress bar and the closing summary of a run, for people."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from fiqa_cli.cli.console import console
from fiqa_cli.pipeline.tally import Tally

Result = TypeVar("Result")

BINS = 10
BAR = 30


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s")


def watch(
    results: Iterable[Result], tally: Tally, total: Callable[[], int | None], doing: str
) -> Iterator[Result]:
    """Pass results through under a bar with rate, time left and the counts of `tally`.

    `total` counts the images of the run, beside it, or gives `None` where that cannot be known.
    `doing` is what the bar says. Without a terminal on stderr there is no bar.
    """
    if not console.is_terminal:
        yield from results
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(
        TextColumn(doing), *columns, TextColumn("{task.fields[counts]}"), console=console
    )
    with bar:
        # Images of an earlier run are done but say nothing of the rate.
        task = bar.add_task("", total=None, completed=tally.images, counts=_counts(tally))
        threading.Thread(
            target=lambda: bar.update(task, total=total()), name="count", daemon=True
        ).start()
        for result in results:
            yield result
            bar.update(task, completed=tally.images, counts=_counts(tally))


def summarise(tally: Tally, seconds: float, before: int = 0) -> None:
    """Say what a run came to, with a small histogram of the quality.

    `before` images of the tally are an earlier run's.
    """
    rate = (tally.images - before) / seconds if seconds else 0.0
    images = "1 image" if tally.images == 1 else f"{tally.images:,} images"
    if before:
        images += f", {before:,} of them before,"
    console.print(
        f"{images} in {seconds:.1f} s ({rate:,.1f}/s): {_counts(tally) or 'nothing'}",
        markup=False,
        soft_wrap=True,
    )
    if len(tally.qualities) > 1 and min(tally.qualities) < max(tally.qualities):
        for line in histogram(tally.qualities):
            console.print(line, markup=False, soft_wrap=True)


def histogram(values: list[float]) -> list[str]:
    """Lines that draw how often values fall into each of ten equal ranges."""
    low, high = min(values), max(values)
    width = (high - low) / BINS
    counts = [0] * BINS
    for value in values:
        counts[min(int((value - low) / width), BINS - 1)] += 1
    unit = BAR / max(counts)
    return [
        f"{low + place * width:8.3f} … {low + (place + 1) * width:6.3f} "
        f"{'█' * round(count * unit) or '▏' * (count > 0):<{BAR}} {count:,}"
        for place, count in enumerate(counts)
    ]


def _counts(tally: Tally) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in tally.statuses.most_common())
