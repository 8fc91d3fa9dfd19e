"""Writers of embeddings, in the two layouts that `embeddings.py` describes."""

# ruff: noqa: D102 - what overrides a method of EmbeddingWriter is documented there
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.embeddings import COLUMNS, RECOGNISER, SHA256
from fiqa_cli.records.row import Row, to_bytes
from fiqa_cli.records.writers import open_stream

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GROUP = 2_000
"""Rows of a Parquet row group: 4 MB with embeddings of 512 numbers."""


NO_FACE = -1
"""The number of no face in `.npz`."""


class EmbeddingWriter(ABC):
    """Takes the rows of a run, each with its embedding."""

    @abstractmethod
    def write(self, row: Row, embedding: "NDArray[np.float32] | None") -> None:
        """Take one more row, with its embedding `[D]` if its status is `ok`."""

    @abstractmethod
    def close(self) -> None:
        """Write what makes the output whole; the stream stays open."""


class NpzWriter(EmbeddingWriter):
    """Arrays by name. Holds everything in memory until it is closed."""

    def __init__(self, stream: BinaryIO, recogniser: str, sha256: str) -> None:
        self._stream = stream
        self._names = {"recogniser": recogniser, "sha256": sha256}
        self._paths: list[str] = []
        self._faces: list[int] = []
        self._embeddings: list[NDArray[np.float32]] = []
        self._missing: list[Row] = []
        self._missing_after: list[int] = []

    def write(self, row: Row, embedding: "NDArray[np.float32] | None") -> None:
        if embedding is None:
            self._missing.append(row)
            self._missing_after.append(len(self._paths))
            return
        self._paths.append(row.path)
        self._faces.append(row.face or 0)
        self._embeddings.append(embedding)

    def close(self) -> None:
        import numpy as np

        arrays: dict[str, Any] = {
            "path": np.array(self._paths, np.str_),
            "face": np.array(self._faces, np.int64),
            "embedding": np.array(self._embeddings or np.empty((0, 0)), np.float32),
        }
        arrays |= {name: np.array(text) for name, text in self._names.items()}
        for name in ("path", "status", "error"):
            texts = [getattr(row, name) for row in self._missing]
            arrays[f"missing_{name}"] = np.array(texts, np.str_)
        faces = [NO_FACE if row.face is None else row.face for row in self._missing]
        arrays["missing_face"] = np.array(faces, np.int64)
        arrays["missing_after"] = np.array(self._missing_after, np.int64)
        np.savez(self._stream, **arrays)


class ParquetEmbeddingWriter(EmbeddingWriter):
    """A row group whenever enough rows are together: memory does not grow with the dataset."""

    def __init__(self, stream: BinaryIO, recogniser: str, sha256: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        from fiqa_cli.records.parquet import PATH_BYTES

        text = pa.string()
        kinds = (text, pa.int64(), text, text, pa.list_(pa.float32()))
        fields = [*zip(COLUMNS, kinds, strict=True), (PATH_BYTES, pa.binary())]
        named = {RECOGNISER: to_bytes(recogniser), SHA256: to_bytes(sha256)}
        self._schema = pa.schema(fields, named)
        # Embeddings repeat nothing that a dictionary or a compressor could make use of.
        self._writer = pq.ParquetWriter(stream, self._schema, use_dictionary=["status", "error"])
        self._rows: list[Row] = []
        self._embeddings: list[NDArray[np.float32] | None] = []

    def write(self, row: Row, embedding: "NDArray[np.float32] | None") -> None:
        self._rows.append(row)
        self._embeddings.append(embedding)
        if len(self._rows) == GROUP:
            self._flush()

    def close(self) -> None:
        try:
            self._flush()
        finally:
            self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        from fiqa_cli.records.parquet import odd_bytes, to_utf8

        rows, self._rows = self._rows, []
        embeddings, self._embeddings = self._embeddings, []
        # An aligned crop is the only face of its image; an image without any has no number.
        faces = [
            row.face if embedding is None else row.face or 0
            for row, embedding in zip(rows, embeddings, strict=True)
        ]
        columns: list[Any] = [
            [to_utf8(row.path) for row in rows],
            faces,
            [row.status for row in rows],
            [to_utf8(row.error) for row in rows],
            embeddings,
            [odd_bytes(row.path) for row in rows],
        ]
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))


_FORMATS = {".npz": "npz", ".parquet": "parquet", ".pq": "parquet"}

_WRITERS: dict[str, type[NpzWriter | ParquetEmbeddingWriter]] = {
    "npz": NpzWriter,
    "parquet": ParquetEmbeddingWriter,
}


def embedding_format(target: Path) -> str:
    """`npz` or `parquet`, as the name of `target` says; raises `FiqaError` if it says neither."""
    try:
        return _FORMATS[target.suffix.lower()]
    except KeyError:
        raise FiqaError(
            f"{target} is neither .npz nor .parquet: embeddings are written as these"
        ) from None


@contextmanager
def open_embedding_writer(target: Path, recogniser: str, sha256: str) -> Iterator[EmbeddingWriter]:
    """A writer to `target`, which gets its name once it is complete.

    `recogniser` and `sha256` say what the embeddings are by. Left early, by an interruption or an
    error, it still writes what it was given. Raises `FiqaError` if `target` is called neither
    `.npz` nor `.parquet`, or cannot be written.
    """
    format = embedding_format(target)
    with open_stream(target, whole=True) as stream:
        writer = _WRITERS[format](stream, recogniser, sha256)
        try:
            yield writer
        finally:
            writer.close()
