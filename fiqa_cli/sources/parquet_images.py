"""Parquet files that hold encoded images: as img2dataset writes them, or Hugging Face datasets."""

import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from fiqa_cli.sources.entry import Entry, check_size
from fiqa_cli.sources.opening import held, number_in, open_storage, shared
from fiqa_cli.sources.reasons import UnreadableImage
from fiqa_cli.sources.reel import Items, Reel
from fiqa_cli.sources.storage import open_file

IMAGE_COLUMNS = ("image", "img", "jpg", "jpeg", "png", "webp")
"""Columns of images, the first that is there: bytes, or a struct with a field `bytes`."""

KEY_COLUMNS = ("key", "__key__")
"""Columns that name a row, the first that is there; else its number does."""

ROWS = 16
"""Images that are unpacked at once."""


class NoImageColumn(UnreadableImage):
    """A Parquet file of something else than images."""


@dataclass(frozen=True, slots=True)
class ParquetCell:
    """The place of an image in a Parquet file."""

    file: str
    row: int

    def read(self) -> bytes:
        """See `Place`."""
        try:
            image = shared(_Images, self.file).reel.take(self.row)
        except KeyError as error:
            raise UnreadableImage("broken or truncated Parquet file") from error
        if not image:
            raise UnreadableImage("no image in this row")
        check_size(len(image))
        return image


def parquet_entries(path: str) -> Iterator[Entry]:
    """The rows of a Parquet file, called by their key or number.

    Only the keys are read. Raises `UnreadableImage` for a file that is broken, and its
    `NoImageColumn` for one without a column of images.
    """
    images = _Images(path)
    if images.key is None:
        for row in range(images.rows):
            yield Entry(f"{path}::{row}", place=ParquetCell(path, row))
        return
    row = 0
    for batch in _batches(images, range(len(images.starts)), images.key, 1024):
        for key in batch.column(0).cast("binary").to_pylist():  # need not be UTF-8, if broken
            name = row if key is None else os.fsdecode(key)
            yield Entry(f"{path}::{name}", place=ParquetCell(path, row))
            row += 1


def parquet_entry(path: str, member: str) -> Iterator[Entry]:
    """The rows of a key, or the row of a number; raises as `parquet_entries`."""
    if shared(_Images, path).key is None:
        row = number_in(member)
        if 0 <= row < shared(_Images, path).rows:
            yield Entry(f"{path}::{member}", place=ParquetCell(path, row))
        return
    for row in held(_rows_of_keys, path).get(member, ()):
        yield Entry(f"{path}::{member}", place=ParquetCell(path, row))


class _Images:
    """A file that is open: which column holds its images, and these as a reel by row."""

    def __init__(self, path: str) -> None:
        import pyarrow.parquet as pq

        storage = open_storage(path)
        try:
            # Chunks of a column are streamed, not read as a whole.
            self.file = pq.ParquetFile(open_file(storage), buffer_size=1 << 20, pre_buffer=False)
            schema = self.file.schema_arrow
            groups = [self.file.metadata.row_group(n) for n in range(self.file.num_row_groups)]
        except UnreadableImage:
            raise
        except Exception as error:  # broken files raise almost anything
            raise UnreadableImage("no Parquet file, or a broken or truncated one") from error
        self.column = _image_column(schema)
        self.key = next((name for name in KEY_COLUMNS if _is_text(schema, name)), None)
        self.starts = [0]
        """The first row of each group, and the number of all rows."""
        for group in groups:
            self.starts.append(self.starts[-1] + group.num_rows)
        self.rows = self.starts.pop()
        if storage.size is not None and not 0 <= self.rows <= storage.size:
            raise UnreadableImage("broken Parquet file: more rows than bytes")
        self.reel = Reel(self._play, lambda row: self.starts[self._group(row)], patience=2 * ROWS)

    def _group(self, row: int) -> int:
        return bisect_right(self.starts, row) - 1

    def _play(self, start: int) -> Items:
        row = start
        groups = range(self._group(start), len(self.starts))
        for batch in _batches(self, groups, self.column, ROWS):
            cells = batch.column(0)
            if _is_struct(cells.type):
                (cells,) = cells.flatten()
            for image in cells.to_pylist():
                yield row, image or b""
                row += 1


def _batches(images: _Images, groups: range, column: str, size: int) -> Iterator[Any]:
    """One column of some row groups, `size` rows at once."""
    read = partial(images.file.iter_batches, size, columns=[column], use_threads=False)
    for group in groups:
        try:
            yield from read(row_groups=[group])
        except UnreadableImage:
            raise
        except Exception as error:
            raise UnreadableImage("broken or truncated Parquet file") from error


def _rows_of_keys(path: str) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, entry in enumerate(parquet_entries(path)):
        rows.setdefault(entry.path.removeprefix(f"{path}::"), []).append(row)
    return rows


def _image_column(schema: Any) -> str:
    """The column of images as Parquet calls it: `jpg`, or `image.bytes`."""
    for name in (*IMAGE_COLUMNS, *schema.names):
        if name not in schema.names:
            continue
        kind = schema.field(name).type
        if _is_struct(kind) and kind.get_field_index("bytes") >= 0:
            if _is_bytes(kind.field("bytes").type):
                return f"{name}.bytes"
        elif name in IMAGE_COLUMNS and _is_bytes(kind):
            return str(name)
    columns = ", ".join(IMAGE_COLUMNS)
    raise NoImageColumn(f"no column of images: expected bytes in one of {columns}")


def _is_struct(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_struct(kind))


def _is_bytes(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_text(schema: Any, name: str) -> bool:
    import pyarrow as pa

    if schema.get_field_index(name) < 0:
        return False
    kind = schema.field(name).type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
