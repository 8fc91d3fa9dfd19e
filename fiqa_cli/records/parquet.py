"""Parquet in and out, in row groups.

Parquet text must be UTF-8, which a file name need not be. Where it is not, `path` shows the odd
bytes as `\\udcXX` and the extra column `path_bytes` (null everywhere else) holds the name itself;
readers give the name back and drop the column. Other text with odd bytes keeps only what it shows.
"""

# ruff: noqa: D102 - what overrides a method of Batch and Writer is documented there
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO, Self

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.batches import Batch, dump_json
from fiqa_cli.records.row import (
    COLUMNS,
    INTEGER_COLUMNS,
    TEXT_COLUMNS,
    Record,
    from_bytes,
    to_bytes,
)
from fiqa_cli.records.writers import Writer

GROUP = 10_000
"""Rows of a row group, and of a batch read."""

PATH_BYTES = "path_bytes"


class ParquetBatch(Batch):
    """Rows of an Arrow record batch."""

    format = "parquet"

    def __init__(self, arrow: Any) -> None:
        self.arrow = arrow
        self.columns = [name for name in arrow.schema.names if name != PATH_BYTES]

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def column(self, name: str) -> list[Any]:
        if name not in self.columns:
            return [None] * len(self)
        values: list[Any] = self.arrow.column(name).to_pylist()
        if name == "path" and PATH_BYTES in self.arrow.schema.names:
            names = self.arrow.column(PATH_BYTES).to_pylist()
            return [
                value if raw is None else from_bytes(raw)
                for value, raw in zip(values, names, strict=True)
            ]
        return values

    def records(self) -> list[Record]:
        values = [self.column(name) for name in self.columns]
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*values, strict=True)]

    def select(self, mask: Sequence[object]) -> Self:
        import pyarrow as pa

        return type(self)(self.arrow.filter(pa.array(map(bool, mask), pa.bool_())))


def parquet_batches(stream: BinaryIO) -> Iterator[ParquetBatch]:
    """The batches of a seekable Parquet file; an empty one first, which tells the columns.

    Raises `FiqaError` if it is no whole Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(stream)
        yield ParquetBatch(pa.RecordBatch.from_pylist([], schema=file.schema_arrow))
        for arrow in file.iter_batches(batch_size=GROUP):
            arrow.validate(full=True)  # text that is not UTF-8 above all
            yield ParquetBatch(arrow)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise FiqaError(f"no whole Parquet file (was it cut off?): {reason}") from error


class ParquetWriter(Writer):
    """Writes a row group whenever enough rows are together."""

    def __init__(self, stream: BinaryIO, columns: Sequence[str] | None) -> None:
        self._stream = stream
        self._columns = columns
        self._writer: Any = None
        self._records: list[Record] = []
        self._arrow: list[Any] = []
        self._waiting = 0

    def write_records(self, records: Iterable[Record]) -> None:
        rows = iter(records)
        while batch := list(islice(rows, GROUP - len(self._records))):
            self._records += batch
            if len(self._records) == GROUP:
                self._flush()

    def write_batch(self, batch: Batch) -> None:
        if not isinstance(batch, ParquetBatch):
            self._columns = self._columns or batch.columns or None
            self.write_records(batch.records())
            return
        self._arrow.append(batch.arrow)
        self._waiting += len(batch)
        if self._waiting >= GROUP:
            self._flush()

    def close(self) -> None:
        """Write what waits and the footer, without which nothing can be read."""
        try:
            self._flush()
        finally:
            self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        records, self._records = self._records, []
        arrow, self._arrow = self._arrow, []
        self._waiting = 0
        if self._writer is None:
            schema = arrow[0].schema if arrow else self._schema(records)
            self._writer = pq.ParquetWriter(self._stream, schema)
        if arrow:
            self._writer.write_table(pa.Table.from_batches(arrow))
        if records:
            self._writer.write_table(_to_table(records, self._writer.schema))

    def _schema(self, records: list[Record]) -> Any:
        import pyarrow as pa

        columns = self._columns or (records[0] if records else COLUMNS)
        fields = [(name, _type_of(name, records)) for name in columns]
        return pa.schema([*fields, (PATH_BYTES, pa.binary())])


def _type_of(name: str, records: list[Record]) -> Any:
    """The Arrow type of a column; of one that fiqa does not know, from the first row group."""
    import pyarrow as pa

    if name in TEXT_COLUMNS:
        return pa.string()
    if name in INTEGER_COLUMNS:
        return pa.int64()
    values = (record.get(name) for record in records)
    if name in COLUMNS or all(isinstance(v, int | float | None) for v in values):
        return pa.float64()
    return pa.string()


def _to_table(records: list[Record], schema: Any) -> Any:
    import pyarrow as pa

    names = schema.names[:-1]
    known = set(names)
    for record in records:
        if not known.issuperset(record):
            extra = ", ".join(record.keys() - known)
            raise FiqaError(f"column {extra} is not in the first rows: write jsonl instead")
    arrays = []
    for field in schema:
        values: list[Any]
        if field.name == PATH_BYTES:
            values = [odd_bytes(record.get("path")) for record in records]
        elif pa.types.is_string(field.type):
            values = [to_utf8(record.get(field.name)) for record in records]
        else:
            values = [record.get(field.name) for record in records]
        try:
            arrays.append(pa.array(values, field.type))
        except (pa.ArrowException, TypeError, OverflowError) as error:
            raise FiqaError(
                f"column {field.name} holds other than numbers after the first rows:"
                " write jsonl instead"
            ) from error
    return pa.Table.from_arrays(arrays, schema=schema)


def odd_bytes(path: str | None) -> bytes | None:
    """The cell of `path_bytes`: the bytes of `path` if they are not UTF-8, else `None`."""
    if path is None or path.isascii():
        return None
    raw = to_bytes(path)
    return raw if raw != path.encode("utf-8", "replace") else None


def to_utf8(value: Any) -> str | None:
    """The cell of a text column: other than UTF-8 as `\\udcXX`, other than text as JSON."""
    if value is None:
        return None
    text = value if isinstance(value, str) else dump_json(value).decode()
    return text.encode("utf-8", "backslashreplace").decode()
