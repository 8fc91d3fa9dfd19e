"""Readers: rows out of a report in any format, in constant memory."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.batches import Batch
from fiqa_cli.records.csv_stream import csv_batches
from fiqa_cli.records.formats import format_of_content, format_of_name
from fiqa_cli.records.json_stream import json_batches, jsonl_batches
from fiqa_cli.records.row import Row, from_record

CHUNK = 1 << 18
"""Bytes read at a time; a pipe gives what it has, so that rows pass on without delay."""


class Reader:
    """An open report.

    Iterating gives its rows in batches, in order; from the start each time, if it was opened
    with `replay`. The first batch may be empty: it tells the columns. Raises `FiqaError` on the
    first row that cannot be read, after the batches before it.
    """

    def __init__(
        self, stream: BinaryIO, name: str, format: str, head: bytes, start: int | None
    ) -> None:
        self.name = name
        self.format = format
        self._stream = stream
        self._head = head
        self._start = start

    def __iter__(self) -> Iterator[Batch]:
        if self.format == "parquet":
            from fiqa_cli.records.parquet import parquet_batches

            batches: Iterator[Batch] = parquet_batches(self._stream)
        else:
            batches = _BATCHES[self.format](self._chunks())
        try:
            yield from batches
        except FiqaError as error:
            raise FiqaError(f"{self.name}: {error}") from error

    def _chunks(self) -> Iterator[bytes]:
        if self._start is None:
            yield self._head
        else:
            self._stream.seek(self._start)
        read = getattr(self._stream, "read1", self._stream.read)
        while chunk := read(CHUNK):
            yield chunk


_BATCHES: dict[str, Callable[[Iterator[bytes]], Iterator[Batch]]] = {
    "csv": csv_batches,
    "json": json_batches,
    "jsonl": jsonl_batches,
}


@contextmanager
def open_reader(source: Path | None, replay: bool = False) -> Iterator[Reader]:
    """Open a report; `None` is standard input. Its content, not its name, tells the format.

    With `replay`, rows can be read more than once; a pipe is then spooled to a temporary file,
    as is Parquet from a pipe. Raises `FiqaError` if the file cannot be read.
    """
    name = "standard input" if source is None else str(source)
    with ExitStack() as stack:
        if source is None:
            stream: BinaryIO = sys.stdin.buffer
        else:
            try:
                stream = stack.enter_context(source.open("rb"))
            except OSError as error:
                raise FiqaError(f"cannot read {source}: {error.strerror}") from error
        start = stream.tell() if stream.seekable() else None
        head = _read_head(stream)
        format = format_of_content(head) or (source and format_of_name(source)) or "csv"
        if not head and format == "parquet":
            raise FiqaError(f"{name} is empty, which no Parquet file is: write it anew")
        if start is None and (replay or format == "parquet"):
            spool = stack.enter_context(tempfile.TemporaryFile())
            spool.write(head)
            shutil.copyfileobj(stream, spool)
            stream, start = spool, 0
        yield Reader(stream, name, format, head, start)


def read_rows(source: Path | None) -> Iterator[Row]:
    """The rows of a report, one by one. Raises `FiqaError` as `open_reader` and `Reader` do."""
    with open_reader(source) as reader:
        for batch in reader:
            yield from map(from_record, batch.records())


def _read_head(stream: BinaryIO) -> bytes:
    """Enough of the stream to tell its format, without waiting for more than that."""
    read = getattr(stream, "read1", stream.read)
    head = b""
    while chunk := read(CHUNK):
        head += chunk
        if head.strip():
            break
    return head
