"""Where an interrupted run goes on.

It goes on at the beginning of a batch of the interrupted run, not at the first missing row: what
a network makes of a crop depends, in its last digit, on how many crops are with it in the batch.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Protocol

from fiqa_cli.errors import FiqaError
from fiqa_cli.pipeline.flow import is_due
from fiqa_cli.pipeline.prospect import was_in_batch
from fiqa_cli.pipeline.tally import Tally
from fiqa_cli.records.journal import (
    RESUMABLE,
    DoneRow,
    done_rows,
    journal_of,
    report_records,
    restore_journal,
)
from fiqa_cli.records.manifest import Manifest, difference, manifest_path, read_manifest
from fiqa_cli.records.row import Record, Row
from fiqa_cli.sources.container import exists
from fiqa_cli.sources.listing import Entry


class Run(Protocol):
    """A scorer or an embedder of a dataset: what must be known of a run to go on with it."""

    @property
    def columns(self) -> Sequence[str]:
        """The columns of its rows, in order."""

    @property
    def batch_size(self) -> int:
        """Crops that are taken at once."""


@dataclass(frozen=True)
class Resumption:
    """What is left to do."""

    entries: Iterator[Entry]
    """The images that are still to be taken."""
    kept: int = 0
    """Bytes of the journal that stay."""
    started: str | None = None
    """When the interrupted run began; `None` if there was none."""
    complete: bool = False
    """Whether the file is as it should be, and nothing is left."""


def take_up(
    output: Path,
    format: str,
    run: Run,
    manifest: Manifest,
    entries: Iterator[Entry],
    tally: Tally,
    read: Callable[[Path], Iterable[list[Record]]] = report_records,
) -> Resumption:
    """Find what a `run` that may have been interrupted has left to do of `entries`.

    `manifest` is its own, and `entries` its whole list. Images that are done are not opened; their
    rows stay as they are and are counted in `tally`. Where there is no file yet, everything is
    left. `read` gives the rows of a whole file as its journal had them. Raises `FiqaError` for a
    file of another run, and for a list that does not begin with the images that are done.
    """
    if format not in RESUMABLE:
        raise FiqaError(f"{output}: a {format} file cannot be resumed; write .jsonl instead")
    if manifest.options["unordered"]:
        raise FiqaError("--resume tells by the order of the rows what is done: not --unordered")
    journal = journal_of(output, format)
    before = read_manifest(output)
    if not _holds_something(output) and not (before and _holds_something(journal)):
        return Resumption(entries)
    if before is None:
        raise FiqaError(
            f"{output} has no {manifest_path(output).name} to tell how it came about: "
            "name another file"
        )
    if other := difference(before, manifest):
        raise FiqaError(
            f"{output} was begun with {other}: give the options it was begun with, or another file"
        )
    if not journal.is_file():
        if before.ended is None:  # no run since has come to its first row
            return Resumption(entries)
        restore_journal(journal, read(output))
    # The last image may lack faces, unless it is known how many rows there are.
    total = sum(before.counts.values()) if before.ended and output.is_file() else None
    images = _whole_images(done_rows(journal, format, run.columns), total)
    left = _catch_up(images, total, output, run.batch_size, entries, tally)
    if left is None:
        if journal != output:
            journal.unlink()
        return Resumption(iter(()), complete=True)
    return replace(left, started=before.started)


def _holds_something(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _whole_images(rows: Iterable[DoneRow], total: int | None) -> Iterator[list[DoneRow]]:
    """The rows of each image; those of the last one only if there are `total` rows."""
    image: list[DoneRow] = []
    count = 0
    for done in rows:
        if image and not done.row.face:  # the faces of one image are numbered from 0
            yield image
            image = []
        image.append(done)
        count += 1
    if image and count == total:
        yield image


def _catch_up(
    images: Iterable[list[DoneRow]],
    total: int | None,
    output: Path,
    batch_size: int,
    entries: Iterator[Entry],
    tally: Tally,
) -> Resumption | None:
    """Go through the images that are done and the list side by side; `None` if both end at once.

    There is no end to the images that are done unless their rows are `total`.
    """
    kept = crops = 0
    # What is done since the last batch that is whole: images of the list, and all rows.
    again: list[Entry] = []
    rows: list[Row] = []
    seen = listed = 0
    upcoming = next(entries, None)
    for image in images:
        path = image[0].row.path
        gone = upcoming is None or upcoming.path != path
        if gone and exists(path):
            raise _other_list(output, path, upcoming)
        if upcoming is not None and not gone:
            again.append(upcoming)
            listed += 1
            upcoming = next(entries, None)
        rows += (done.row for done in image)
        seen += len(image)
        crops += sum(was_in_batch(done.row) for done in image)
        # The rows of an image that has gone cannot be had again, so they stay in any case.
        if gone or is_due(crops, batch_size):
            _count(rows, tally)
            kept, crops, again, rows = image[-1].end, 0, [], []
    if seen and not listed:
        raise _other_list(output, path, upcoming)
    if upcoming is None and seen == total:
        _count(rows, tally)
        return None
    rest = chain(again, () if upcoming is None else (upcoming,), entries)
    return Resumption(rest, kept)


def _count(rows: Iterable[Row], tally: Tally) -> None:
    for row in rows:
        tally.count(row)


def _other_list(output: Path, path: str, upcoming: Entry | None) -> FiqaError:
    listed = "is at its end" if upcoming is None else f"has {upcoming.path!r}"
    return FiqaError(
        f"{output} has {path!r} where the list of images {listed}: name the same images in the "
        "same order and from the same folder, or another file"
    )
