"""What every command that goes through images does around it."""

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from fiqa_cli.cli.console import note
from fiqa_cli.errors import FiqaError

if TYPE_CHECKING:
    from fiqa_cli.pipeline.shard import Shard
    from fiqa_cli.pipeline.tally import Tally
    from fiqa_cli.records.manifest import Manifest
    from fiqa_cli.sources.listing import Entry

SOME_FAILED = 1
"""Exit code."""

BETWEEN_CHECKS = 1.0
"""Seconds between two looks whether the output is still there."""


@dataclass(frozen=True)
class Images:
    """The images that a command line names."""

    entries: "Iterator[Entry]"
    count: Callable[[], int | None]
    """Counts them, by listing a second time; `None` where that would take long, or is a shard."""


def list_images(
    inputs: list[str],
    null: bool,
    every: int | None = None,
    offline: bool = False,
    shard: "Shard | None" = None,
) -> Images:
    """List what `inputs` name, or the `shard` of it: see `expand`, whose FiqaError it raises."""
    from fiqa_cli.sources.listing import count, expand
    from fiqa_cli.zoo.download import is_offline

    # A stream of our own for stdin: when a run is cut short a thread may still wait on it, and
    # Python's own must not be held at exit.
    stdin = open(0, "rb", closefd=False) if "-" in inputs else None  # noqa: SIM115
    entries = expand(inputs, null, stdin, every=every, offline=offline or is_offline())
    if shard:
        return Images(shard.of(entries), lambda: None)
    return Images(entries, lambda: count(inputs, null, every=every))


def shard_of(text: str | None, output: Path | None) -> "Shard | None":
    """The shard that `--shard` names.

    Raises FiqaError if it names none, and for an output that is named after a shard without one.
    """
    from fiqa_cli.pipeline.shard import PLACE, Shard

    if text is not None:
        return Shard.parse(text)
    if output and PLACE in output.name:
        raise FiqaError(f"{output} is named after a shard: say which one, with --shard 1/16")
    return None


def skip_if_done(manifest: "Manifest", output: Path) -> None:
    """End the command as it ended before if `output` is that of a whole run as in `manifest`.

    Nothing is read of it, and no image is listed.
    """
    from fiqa_cli.records.manifest import difference, read_manifest

    before = read_manifest(output)
    if before and before.is_done(output) and not difference(before, manifest):
        note(f"{output} is done: nothing to do")
        raise typer.Exit(SOME_FAILED if before.failed else 0)


@contextmanager
def recorded(
    manifest: "Manifest", tally: "Tally", output: Path | None, failed: Callable[[], int]
) -> Iterator[None]:
    """Keep `manifest` beside `output` while a run lasts, and with the counts of `tally` after it.

    So it does with the number of images that `failed`. A run that is cut short leaves a manifest
    without a time of ending. Without `output` there is none.
    """
    from fiqa_cli.records.manifest import write_manifest

    if output is None:
        yield
        return
    write_manifest(output, manifest)
    try:
        yield
    except BaseException:
        manifest.counts = dict(tally.statuses)
        # What cut the run short may stand in the way of this too, and is the better news.
        with suppress(FiqaError):
            write_manifest(output, manifest)
        raise
    manifest.finish(tally.statuses)
    manifest.failed, manifest.size = failed(), output.stat().st_size
    write_manifest(output, manifest)


@contextmanager
def held(output: Path | None, format: str) -> Iterator[None]:
    """Hold `output` for this run alone, and let what cuts it short say how to go on.

    It says so in a note of the exception, where there is something to go on with. A failure to
    write, which does not know its file, becomes a `FiqaError` that names it. Raises `FiqaError` if
    another run holds `output`.
    """
    from fiqa_cli.records.lock import locked

    with locked(output):
        try:
            yield
        except KeyboardInterrupt as error:
            _tell_how(error, output, format)
            raise
        except FiqaError as error:
            if isinstance(error.__cause__, OSError):
                _tell_how(error, output, format)
            raise
        except OSError as error:
            if output is None or error.filename or isinstance(error, BrokenPipeError):
                raise
            failure = FiqaError(
                f"cannot write {output}: {(error.strerror or str(error)).lower()}; "
                "what was written before is kept"
            )
            _tell_how(failure, output, format)
            raise failure from error


def _tell_how(error: BaseException, output: Path | None, format: str) -> None:
    from fiqa_cli.records.journal import RESUMABLE, journal_of

    if output is None or format not in RESUMABLE:
        return
    journal = journal_of(output, format)
    if journal.is_file() and journal.stat().st_size:
        again = sys.argv[1:] if "--resume" in sys.argv else [*sys.argv[1:], "--resume"]
        error.add_note(f"go on with: {shlex.join(['fiqa', *again])}")


Result = TypeVar("Result")


def while_there(results: Iterable[Result], output: Path | None, format: str) -> Iterator[Result]:
    """Pass `results` on as long as the file that they go to can be found.

    Raises `FiqaError` within about a second after it, or its folder, was moved or removed.
    """
    from fiqa_cli.records.journal import journal_of

    if output is None or not (journal := journal_of(output, format)).is_file():
        yield from results
        return
    begun = journal.stat()
    checked = time.monotonic()
    for result in results:
        yield result
        if time.monotonic() - checked >= BETWEEN_CHECKS:
            checked = time.monotonic()
            try:
                is_there = os.path.samestat(journal.stat(), begun)
            except OSError:
                is_there = False
            if not is_there:
                raise FiqaError(
                    f"{journal} has gone from its place, and the rows with it: bring it back and "
                    "add --resume to go on, or give the command again to begin anew"
                )
