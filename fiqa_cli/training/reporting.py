"""How a training run is followed: a bar or lines on the standard error, and TensorBoard."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.loop import Report

BETWEEN = 30.0
"""Seconds from one line of a log to the next."""

Advance = Callable[[str, int, int], None]
"""Is told what is going on, how much of it is done, and of how much."""


def silent(what: str, done: int, count: int) -> None:
    """Tells nobody."""


def told(terms: Mapping[str, float]) -> str:
    """Terms as people read them."""
    return "  ".join(f"{name} {value:.4f}" for name, value in terms.items())


def duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def line(report: Report) -> str:
    """A line of a log."""
    return (
        f"step {report.step}/{report.steps}  {told(report.terms)}  "
        f"{report.rate:.1f} {report.unit}/s  {duration(report.left)} left"
    )


@contextmanager
def on_console(console: Console) -> Iterator[Callable[[Report], None]]:
    """An observer that draws a bar on a terminal, above it a line for every checkpoint.

    Elsewhere it writes the lines alone, and one now and then between two checkpoints.
    """
    if not console.is_terminal:
        last = time.monotonic()

        def write(report: Report) -> None:
            nonlocal last
            if report.is_checkpoint or time.monotonic() - last >= BETWEEN:
                last = time.monotonic()
                console.print(line(report), markup=False, soft_wrap=True)

        yield write
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"))
    words = TextColumn("{task.description}")
    with Progress(*columns, TimeRemainingColumn(), words, console=console) as bar:
        task = bar.add_task("", total=None, speed="")

        def draw(report: Report) -> None:
            if report.is_checkpoint:
                console.print(line(report), markup=False, soft_wrap=True)
            speed = f"{report.rate:.1f} {report.unit}/s"
            bar.update(
                task,
                completed=report.step,
                total=report.steps,
                description=f"loss {report.terms['loss']:.4f}",
                speed=speed,
            )

        yield draw


@contextmanager
def on_preparation(console: Console) -> Iterator[Advance]:
    """A bar on a terminal for each thing that is advanced; elsewhere a line now and then."""
    if not console.is_terminal:
        last = time.monotonic()

        def write(what: str, done: int, count: int) -> None:
            nonlocal last
            if done == count or time.monotonic() - last >= BETWEEN:
                last = time.monotonic()
                console.print(f"{what}: {done:,} of {count:,}", markup=False, soft_wrap=True)

        yield write
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def draw(what: str, done: int, count: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=count, visible=done < count)

        yield draw


@contextmanager
def on_tensorboard(folder: Path) -> Iterator[Callable[[Report], None]]:
    """An observer that writes all terms for TensorBoard. Raises `FiqaError` if it is missing."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise FiqaError(
            "--tensorboard needs the package tensorboard: run: python -m pip install tensorboard"
        ) from error
    with SummaryWriter(str(folder)) as writer:

        def write(report: Report) -> None:
            for name, value in {**report.terms, f"{report.unit} per second": report.rate}.items():
                writer.add_scalar(name, value, report.step)

        yield write
