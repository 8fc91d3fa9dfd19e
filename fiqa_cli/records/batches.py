"""Batches: rows as they were read, parsed only as far as someone asks."""

# ruff: noqa: D102 - what overrides a method of Batch is documented there
import json
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Any, Self

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.cells import parse_cell, split_line, unguard
from fiqa_cli.records.row import TEXT_COLUMNS, Record, from_bytes, path_of, to_number

NAN = math.nan


class Batch(ABC):
    """Some consecutive rows of a report."""

    format: str
    columns: Sequence[str]
    """Columns of the report; for JSON, those of the rows of this batch."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def column(self, name: str) -> list[Any]:
        """The values of one column; `None` where a row lacks it."""

    @abstractmethod
    def records(self) -> list[Record]:
        """All rows, fully parsed. Raises `FiqaError` for a number that is not one."""

    @abstractmethod
    def select(self, mask: Sequence[object]) -> Self:
        """The rows whose place in `mask` is true."""

    def paths(self) -> list[str]:
        """The path of each row. Raises `FiqaError` where one is missing."""
        return [path_of({"path": value}) for value in self.column("path")]

    def models(self) -> set[str]:
        """The models that rows name."""
        return {str(name) for name in self.column("model") if name}

    def qualities(self) -> list[float]:
        """The quality of each row, NaN where missing. Raises `FiqaError` for text."""
        numbers = (to_number("quality", value) for value in self.column("quality"))
        return [NAN if number is None else number for number in numbers]


class CsvBatch(Batch):
    """Lines of a CSV file without their line feeds; a quoted one may hold line feeds itself."""

    format = "csv"

    def __init__(
        self, header: bytes, columns: Sequence[str], lines: list[bytes], quoted: bool
    ) -> None:
        self.header = header
        self.columns = columns
        self.lines = lines
        self.quoted = quoted
        """Whether any line may hold a quote; others can be split without a second look."""

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str) -> list[Any]:
        cells = self._cells(name)
        texts = [from_bytes(cell) if isinstance(cell, bytes) else cell for cell in cells]
        if name in TEXT_COLUMNS:
            return [unguard(text) for text in texts]
        return [parse_cell(name, text) for text in texts]

    def paths(self) -> list[str]:
        return self.column("path")

    def models(self) -> set[str]:
        # Of many equal cells one is parsed.
        found = {from_bytes(c) if isinstance(c, bytes) else c for c in set(self._cells("model"))}
        return {unguard(name) for name in found if name}

    def qualities(self) -> list[float]:
        cells = self._cells("quality")
        try:
            return [float(cell) if cell else NAN for cell in cells]
        except ValueError:
            return super().qualities()

    def records(self) -> list[Record]:
        return [
            {
                name: parse_cell(name, cell)
                for name, cell in zip(self.columns, split_line(line), strict=True)
            }
            for line in self.lines
        ]

    def select(self, mask: Sequence[object]) -> Self:
        lines = list(compress(self.lines, mask))
        return type(self)(self.header, self.columns, lines, self.quoted)

    def _cells(self, name: str) -> list[bytes | str]:
        """Cells of one column as they stand: bytes from plain lines, text from quoted ones."""
        if name not in self.columns:
            return [""] * len(self)
        at = self.columns.index(name)
        after = at + 1
        cells: list[bytes | str]
        if self.quoted:
            cells = [
                line.split(b",", after)[at] if b'"' not in line else split_line(line)[at]
                for line in self.lines
            ]
        else:
            cells = [line.split(b",", after)[at] for line in self.lines]
        if after == len(self.columns):
            return [cell.rstrip(b"\r") if isinstance(cell, bytes) else cell for cell in cells]
        return cells


class JsonBatch(Batch):
    """JSON objects with the very bytes they were read from."""

    def __init__(self, format: str, objects: list[Record], raw: list[bytes]) -> None:
        self.format = format
        self.objects = objects
        self.raw = raw
        self.columns = list(dict.fromkeys(name for record in objects for name in record))

    def __len__(self) -> int:
        return len(self.objects)

    def column(self, name: str) -> list[Any]:
        return [record.get(name) for record in self.objects]

    def records(self) -> list[Record]:
        return self.objects

    def select(self, mask: Sequence[object]) -> Self:
        return type(self)(
            self.format, list(compress(self.objects, mask)), list(compress(self.raw, mask))
        )


def check_one_model(report: str, models: Iterable[str]) -> None:
    """Raise `FiqaError` for qualities of several models, which do not compare."""
    names = list(models)
    if len(names) > 1:
        raise FiqaError(
            f"{report} has qualities of {', '.join(names)}, which do not compare: "
            "choose one with --model"
        )


def dump_json(record: Record) -> bytes:
    """One JSON object on one line. Surrogate escapes become `\\udcXX`, NaN becomes null."""
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:
        finite = {name: None if _not_finite(value) else value for name, value in record.items()}
        text = json.dumps(finite, ensure_ascii=False, default=_plain)
    # Only surrogates cannot be UTF-8, and Python escapes them just as JSON does.
    return text.encode("utf-8", "backslashreplace")


def _not_finite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _plain(value: object) -> str:
    """Text for what Parquet can hold and JSON cannot: bytes, dates, decimals."""
    return os.fsdecode(value) if isinstance(value, bytes) else str(value)
