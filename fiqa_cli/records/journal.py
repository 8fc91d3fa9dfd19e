"""The journal of a run: the file in which each row is safe as soon as it is known.

CSV and JSON Lines are their own journal. Nothing can be read of Parquet and `.npz` before their
end, so their rows are kept beside them as JSON lines until the run has come to its end.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.cells import parse_cell, split_line
from fiqa_cli.records.csv_stream import LONGEST
from fiqa_cli.records.durable import rename
from fiqa_cli.records.readers import open_reader
from fiqa_cli.records.row import Record, Row, from_bytes, from_record
from fiqa_cli.records.writers import Writer, csv_header, open_writer

RESUMABLE = ("csv", "jsonl", "parquet", "npz")
"""The formats of which a run can go on."""

_BESIDE = ("parquet", "npz")

_RESUMING = ("path", "face", "status", "quality", "error")
"""The columns that are read back of a row."""


@dataclass(slots=True)
class DoneRow:
    """A whole row of a journal; only what a run that goes on must know of it is read."""

    row: Row
    end: int
    """Bytes of the journal up to the end of this row."""


def journal_of(output: Path, format: str) -> Path:
    """Where the journal of `output` lies: beside Parquet and `.npz`, else it is `output` itself."""
    return output.with_name(f".{output.name}.rows") if format in _BESIDE else output


def done_rows(journal: Path, format: str, columns: Sequence[str]) -> Iterator[DoneRow]:
    """The whole rows of the journal of a `format` file with these columns.

    What comes behind the last whole row, torn when a run was killed, is left out. Raises
    `FiqaError` for anything that no run would have written.
    """
    parse = _CsvRows(columns).parse if format == "csv" else _parse_json
    end = count = 0
    try:
        with journal.open("rb") as stream:
            for line in _whole_lines(stream, quoted=format == "csv"):
                end += len(line)
                if record := parse(line):
                    yield DoneRow(from_record(record), end)
                    count += 1
    except (FiqaError, ValueError) as error:
        raise FiqaError(
            f"{journal} goes on after row {count} with what this run did not write ({error}): "
            "name another file"
        ) from error
    except OSError as error:
        raise FiqaError(f"cannot read {journal}: {error.strerror}") from error


@contextmanager
def cut_journal(output: Path | None, format: str, kept: int = 0) -> Iterator[None]:
    """Begin or continue the journal of `output` behind its first `kept` bytes.

    It is cut before anything else is written, the manifest above all: a journal must never hold
    rows of another run than its manifest tells. One beside its file goes once the run has ended
    well. Raises `FiqaError` if it cannot be written.
    """
    if output is None:
        yield
        return
    journal = journal_of(output, format)
    try:
        if journal.is_file():
            os.truncate(journal, kept)
        elif journal != output:
            journal.touch()
    except OSError as error:
        raise FiqaError(f"cannot write {output}: {error.strerror}") from error
    yield
    if journal != output:
        journal.unlink()


@contextmanager
def open_journalled(
    output: Path | None, format: str, columns: Sequence[str], kept: int = 0
) -> Iterator[Writer]:
    """A writer as `open_writer` gives it, to `output` and its journal.

    New rows follow those in the first `kept` bytes of the journal, which `cut_journal` has left.
    """
    journal = None if output is None else journal_of(output, format)
    if journal is None or journal == output:
        with open_writer(output, format, columns, append=kept > 0) as writer:
            yield writer
        return
    with (
        open_writer(journal, "jsonl", columns, append=kept > 0) as rows,
        open_writer(output, format, columns) as writer,
    ):
        if kept:
            with open_reader(journal) as reader:
                for batch in reader:
                    writer.write_batch(batch)
        yield _Journalled(rows, writer)


def report_records(output: Path) -> Iterator[list[Record]]:
    """The rows of a whole report as its journal had them, some at a time."""
    with open_reader(output) as reader:
        for batch in reader:
            yield batch.records()


def restore_journal(journal: Path, parts: Iterable[list[Record]]) -> None:
    """Write the journal of a whole file anew, with the rows of all `parts`, or not at all."""
    part = journal.with_name(f"{journal.name}.part")
    try:
        with open_writer(part, "jsonl") as rows:
            for records in parts:
                rows.write_records(records)
        rename(part, journal)
    finally:
        part.unlink(missing_ok=True)


class _Journalled(Writer):
    """Writes each row to the journal first."""

    def __init__(self, journal: Writer, writer: Writer) -> None:
        self._journal = journal
        self._writer = writer

    def write_records(self, records: Iterable[Record]) -> None:
        """Write to both."""
        rows = list(records)
        self._journal.write_records(rows)
        self._writer.write_records(rows)

    def close(self) -> None:
        """Leave it to those who opened the two."""


class _CsvRows:
    def __init__(self, columns: Sequence[str]) -> None:
        self._header: bytes | None = csv_header(columns)
        self._width = len(columns)
        self._places = [(name, list(columns).index(name)) for name in _RESUMING]

    def parse(self, line: bytes) -> Record | None:
        """What is read back of a line; `None` for the first, which must be the header."""
        if self._header is not None:
            if line != self._header:
                raise FiqaError("it has other columns")
            self._header = None
            return None
        cells = split_line(line[:-1])
        if len(cells) != self._width:
            raise FiqaError(f"it has {len(cells)} cells instead of {self._width}")
        return {name: parse_cell(name, cells[place]) for name, place in self._places}


def _parse_json(line: bytes) -> Record:
    value = json.loads(from_bytes(line))
    if not isinstance(value, dict):
        raise FiqaError("it is no JSON object")
    return {name: value.get(name) for name in _RESUMING}


def _whole_lines(stream: BinaryIO, quoted: bool) -> Iterator[bytes]:
    """The lines that end with a line feed; one within quotes ends none if they are `quoted`."""
    line = b""
    while piece := stream.readline(LONGEST):
        line += piece
        if len(line) >= LONGEST:
            raise FiqaError(f"{line[:40]!r} begins a line that is too long for a row")
        if piece.endswith(b"\n") and not (quoted and line.count(b'"') % 2):
            yield line
            line = b""
