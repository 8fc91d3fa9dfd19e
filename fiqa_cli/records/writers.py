"""Writers: rows into a file or standard output, as they come."""

# ruff: noqa: D102 - what overrides a method of Writer is documented there
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.batches import Batch, CsvBatch, JsonBatch, dump_json
from fiqa_cli.records.cells import format_line
from fiqa_cli.records.durable import rename
from fiqa_cli.records.row import COLUMNS, Record, Row, to_bytes, to_record

SLICE = 1000


class Writer(ABC):
    """Takes rows; what one call was given is on its way before the call returns."""

    def write(self, rows: Iterable[Row]) -> None:
        """Write the rows of scored images; of many, no more than `SLICE` are held at once."""
        records = map(to_record, rows)
        while part := list(islice(records, SLICE)):
            self.write_records(part)

    @abstractmethod
    def write_records(self, records: Iterable[Record]) -> None:
        """Write rows that were read elsewhere."""

    def write_batch(self, batch: Batch) -> None:
        """Write rows that were read elsewhere, byte for byte where the format is the same."""
        self.write_records(batch.records())

    @abstractmethod
    def close(self) -> None:
        """Write what makes the output whole; the stream stays open."""


class CsvWriter(Writer):
    """A header, then a line for each row."""

    def __init__(
        self, stream: BinaryIO, columns: Sequence[str] | None, begun: bool = False
    ) -> None:
        """Write to `stream`, which has a header of these columns if it is `begun`."""
        self._stream = stream
        self._columns = columns
        self._header: bytes | None = None
        if begun and columns:
            self._know(columns, csv_header(columns)[:-1])

    def write_records(self, records: Iterable[Record]) -> None:
        lines = []
        for record in records:
            if self._header is None:
                self._begin(self._columns or list(record))
            if not self._known.issuperset(record):
                extra = ", ".join(record.keys() - self._known)
                raise FiqaError(f"column {extra} is not in the header: write jsonl instead")
            lines.append(format_line([record.get(name) for name in self._names]))
        self._stream.write(to_bytes("".join(lines)))
        self._stream.flush()

    def write_batch(self, batch: Batch) -> None:
        if self._header is None and batch.columns:
            self._begin(
                self._columns or batch.columns,
                batch.header if isinstance(batch, CsvBatch) and not self._columns else None,
            )
        if isinstance(batch, CsvBatch) and batch.header == self._header:
            if batch.lines:
                self._stream.write(b"\n".join(batch.lines) + b"\n")
                self._stream.flush()
        else:
            self.write_records(batch.records())

    def close(self) -> None:
        if self._header is None:
            self._begin(self._columns or COLUMNS)
            self._stream.flush()

    def _begin(self, columns: Sequence[str], header: bytes | None = None) -> None:
        header = csv_header(columns)[:-1] if header is None else header
        self._know(columns, header)
        self._stream.write(header + b"\n")

    def _know(self, columns: Sequence[str], header: bytes) -> None:
        self._names = list(columns)
        self._known = frozenset(columns)
        self._header = header


def csv_header(columns: Sequence[str]) -> bytes:
    """The first line of a CSV file, with its line feed."""
    return to_bytes(format_line(columns))


class JsonlWriter(Writer):
    """An object on a line for each row."""

    def __init__(self, stream: BinaryIO, columns: Sequence[str] | None) -> None:
        self._stream = stream

    def write_records(self, records: Iterable[Record]) -> None:
        self._write_raw(map(dump_json, records))

    def write_batch(self, batch: Batch) -> None:
        if isinstance(batch, JsonBatch) and batch.format == "jsonl":
            self._write_raw(batch.raw)
        else:
            self.write_records(batch.records())

    def close(self) -> None:
        pass

    def _write_raw(self, lines: Iterable[bytes]) -> None:
        self._stream.write(b"".join(line + b"\n" for line in lines))
        self._stream.flush()


class JsonWriter(Writer):
    """One array of objects."""

    def __init__(self, stream: BinaryIO, columns: Sequence[str] | None) -> None:
        self._stream = stream
        self._before = b"[\n"

    def write_records(self, records: Iterable[Record]) -> None:
        self._write_raw(map(dump_json, records))

    def write_batch(self, batch: Batch) -> None:
        if isinstance(batch, JsonBatch):
            self._write_raw(batch.raw)
        else:
            self.write_records(batch.records())

    def close(self) -> None:
        self._stream.write(b"[]\n" if self._before == b"[\n" else b"\n]\n")
        self._stream.flush()

    def _write_raw(self, objects: Iterable[bytes]) -> None:
        if text := b",\n".join(objects):
            self._stream.write(self._before + text)
            self._before = b",\n"
            self._stream.flush()


class PathWriter(Writer):
    """The path of each image, once, as raw bytes before `end`; remembers all it has written."""

    def __init__(self, stream: BinaryIO, end: bytes) -> None:
        self._stream = stream
        self._end = end
        self._seen: set[str] = set()

    def write_records(self, records: Iterable[Record]) -> None:
        self._write_paths([record["path"] for record in records])

    def write_batch(self, batch: Batch) -> None:
        self._write_paths(batch.paths())

    def close(self) -> None:
        pass

    def _write_paths(self, paths: Iterable[str]) -> None:
        fresh = [path for path in dict.fromkeys(paths) if path not in self._seen]
        self._seen.update(fresh)
        self._stream.write(b"".join(os.fsencode(path) + self._end for path in fresh))
        self._stream.flush()


_WRITERS: dict[str, Callable[[BinaryIO, Sequence[str] | None], Writer]] = {
    "jsonl": JsonlWriter,
    "json": JsonWriter,
}


@contextmanager
def open_writer(
    target: Path | None, format: str, columns: Sequence[str] | None = None, append: bool = False
) -> Iterator[Writer]:
    """A writer to `target`, or to standard output if it is `None`.

    `format` is one of `FORMATS`, or `table` (see `output_format`); `columns` are all columns,
    by default those of the first row. With `append`, for CSV and JSON Lines, `target` has rows of
    these columns already. Left early, by an interruption or an error, it still ends the output
    properly. Raises `FiqaError` if `target` cannot be written.
    """
    with open_stream(target, whole=format == "parquet", append=append) as stream:
        if format == "parquet":
            from fiqa_cli.records.parquet import ParquetWriter

            writer: Writer = ParquetWriter(stream, columns)
        elif format == "table":
            from fiqa_cli.records.table import TableWriter

            writer = TableWriter(sys.stdout)
        elif format == "csv":
            writer = CsvWriter(stream, columns, begun=append)
        else:
            writer = _WRITERS[format](stream, columns)
        try:
            yield writer
        finally:
            writer.close()


@contextmanager
def open_path_writer(target: Path | None, null: bool = False) -> Iterator[Writer]:
    """A writer of paths, each ended by a line feed or, with `null`, a NUL."""
    with open_stream(target) as stream:
        yield PathWriter(stream, b"\0" if null else b"\n")


@contextmanager
def open_stream(
    target: Path | None, whole: bool = False, append: bool = False
) -> Iterator[BinaryIO]:
    """The stream; with `whole`, the file gets its name only when it is complete and on the disk."""
    if target is None:
        try:
            yield sys.stdout.buffer
        except BrokenPipeError:
            # What Python still holds for a reader that has gone must not fail again at exit.
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise
        return
    name = target.with_name(f".{target.name}.part") if whole else target
    try:
        stream = name.open("ab" if append else "wb")
    except OSError as error:
        raise FiqaError(f"cannot write {target}: {error.strerror}") from error
    with stream:
        try:
            yield stream
        except OSError:
            # Nothing of a file without its end can be read: it leaves the disk to the journal.
            if whole:
                name.unlink(missing_ok=True)
            raise
        except BaseException:
            with suppress(OSError):  # what cut the run short may stand in the way of this too
                _finish(stream, name, target)
            raise
        _finish(stream, name, target)


def _finish(stream: BinaryIO, name: Path, target: Path) -> None:
    if name != target:
        stream.flush()
        os.fsync(stream.fileno())
        stream.close()
        rename(name, target)
