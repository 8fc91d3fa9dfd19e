"""The journal of `fiqa embed`: its rows as JSON lines, each embedding as base64 of `<f4`."""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.embedding_writers import (
    NO_FACE,
    EmbeddingWriter,
    embedding_format,
    open_embedding_writer,
)
from fiqa_cli.records.embeddings import COLUMNS
from fiqa_cli.records.journal import journal_of
from fiqa_cli.records.readers import open_reader
from fiqa_cli.records.row import Record, Row, from_record
from fiqa_cli.records.writers import SLICE, Writer, open_writer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Embedded = tuple[Row, NDArray[np.float32] | None]


@contextmanager
def open_journalled_embeddings(
    output: Path, recogniser: str, sha256: str, kept: int = 0
) -> Iterator[EmbeddingWriter]:
    """A writer as `open_embedding_writer` gives it, to `output` and its journal.

    New rows follow those in the first `kept` bytes of the journal, which `cut_journal` has left.
    Raises `FiqaError` if one of these holds no embedding.
    """
    journal = journal_of(output, embedding_format(output))
    with (
        open_writer(journal, "jsonl", append=kept > 0) as rows,
        open_embedding_writer(output, recogniser, sha256) as writer,
    ):
        if kept:
            _replay(journal, writer)
        yield _Journalled(rows, writer)


def embedding_records(output: Path) -> Iterator[list[Record]]:
    """The rows of a whole file of embeddings as its journal had them, some at a time.

    Raises `FiqaError` if the file is damaged, or does not tell the order of its rows.
    """
    rows = embedded_rows(output)
    while part := [_record(row, embedding) for row, embedding in islice(rows, SLICE)]:
        yield part


def embedded_rows(output: Path) -> "Iterator[Embedded]":
    """The rows of a whole file of embeddings in the order of its run, each with its embedding.

    Raises `FiqaError` if the file is damaged, or does not tell the order of its rows.
    """
    try:
        yield from _npz_rows(output) if embedding_format(output) == "npz" else _parquet_rows(output)
    # Broken files make zip, numpy and Arrow raise nearly anything.
    except Exception as error:
        raise FiqaError(
            f"{output} is not what a whole run of fiqa embed leaves: name another file"
        ) from error


class _Journalled(EmbeddingWriter):
    """Writes each row to the journal first."""

    def __init__(self, journal: Writer, writer: EmbeddingWriter) -> None:
        self._journal = journal
        self._writer = writer

    def write(self, row: Row, embedding: "NDArray[np.float32] | None") -> None:
        self._journal.write_records([_record(row, embedding)])
        self._writer.write(row, embedding)

    def close(self) -> None:
        """Leave it to those who opened the two."""


def _replay(journal: Path, writer: EmbeddingWriter) -> None:
    import numpy as np

    with open_reader(journal) as reader:
        for batch in reader:
            for record in batch.records():
                embedding = None
                try:
                    if (text := record["embedding"]) is not None:
                        raw = b64decode(text, validate=True)
                        embedding = np.frombuffer(raw, "<f4").astype(np.float32, copy=False)
                except (KeyError, TypeError, ValueError) as error:
                    raise FiqaError(
                        f"{journal} has a row without its embedding: name another file"
                    ) from error
                writer.write(from_record(record), embedding)


def _record(row: Row, embedding: "NDArray[np.float32] | None") -> Record:
    text = None if embedding is None else b64encode(embedding.astype("<f4").tobytes()).decode()
    return dict(zip(COLUMNS, (row.path, row.face, row.status, row.error, text), strict=True))


def _parquet_rows(output: Path) -> "Iterator[Embedded]":
    from fiqa_cli.records.parquet import parquet_batches

    with output.open("rb") as stream:
        for batch in parquet_batches(stream):
            columns = [batch.column(name) for name in COLUMNS[:-1]]
            embeddings = batch.arrow.column("embedding")
            for path, face, status, error, cell in zip(*columns, embeddings, strict=True):
                embedding = cell.values.to_numpy() if cell.is_valid else None
                yield Row(path, face, status, error=error), embedding


def _npz_rows(output: Path) -> "Iterator[Embedded]":
    import numpy as np

    with np.load(output, allow_pickle=False) as arrays:
        found = [arrays[name] for name in ("path", "face", "embedding")]
        names = ("after", "path", "face", "status", "error")
        missing = [arrays[f"missing_{name}"].tolist() for name in names]
    rows = (
        (Row(str(path), int(face)), embedding) for path, face, embedding in zip(*found, strict=True)
    )
    done = 0
    for after, path, face, status, error in zip(*missing, strict=True):
        yield from islice(rows, after - done)
        done = after
        yield Row(path, None if face == NO_FACE else face, status, error=error), None
    yield from rows
