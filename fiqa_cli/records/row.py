"""The row: one per face; one with empty face fields where an image gave none."""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from fiqa_cli.errors import FiqaError

STATUSES = ("ok", "no-face", "unreadable", "too-small", "failed")


@dataclass(slots=True)
class Row:
    """One line of a report. Numbers in pixels of the upright image; `None` where missing."""

    path: str
    """As the user gave it; bytes that are not UTF-8 as surrogate escapes (`os.fsdecode`)."""
    face: int | None = None
    """Number of the face within its image, from 0, in order of falling detector score."""
    status: str = "ok"
    quality: float | None = None
    model: str = ""
    detector: str = ""
    det_score: float | None = None
    x1: float | None = None
    y1: float | None = None
    x2: float | None = None
    y2: float | None = None
    width: int | None = None
    """Width of the image."""
    height: int | None = None
    inter_eye: float | None = None
    """Distance between the two eye landmarks."""
    error: str = ""
    details: dict[str, float] = field(default_factory=dict)
    """With `--details`: landmarks (`eye_left_x` …) and the method's components."""

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """x1, y1, x2, y2, if all are known."""
        if self.x1 is None or self.y1 is None or self.x2 is None or self.y2 is None:
            return None
        return self.x1, self.y1, self.x2, self.y2


COLUMNS: tuple[str, ...] = tuple(f.name for f in fields(Row) if f.name != "details")
"""The columns every report has, in order; `--details` adds more behind them."""

TEXT_COLUMNS = frozenset({"path", "status", "model", "detector", "error"})
INTEGER_COLUMNS = frozenset({"face", "width", "height"})
PIXEL_COLUMNS = frozenset({"x1", "y1", "x2", "y2", "inter_eye"})

Record = dict[str, Any]
"""A row as files hold it: column name to text, number or `None`, in column order."""


def to_record(row: Row) -> Record:
    """The cells of `row`: pixels to 2 decimals, other numbers to the digits of a float32.

    Numbers that are not finite become `None`, as no format but CSV could hold them.
    """
    record = {name: _cell(name, getattr(row, name)) for name in COLUMNS}
    for name, value in row.details.items():
        record[name] = _cell(name, value)
    return record


def from_record(record: Mapping[str, Any]) -> Row:
    """The row of a record; other columns that hold numbers become `details`.

    Raises `FiqaError` where the record has no path or a number is not one.
    """
    row = Row(path_of(record))
    for name, value in record.items():
        if name in TEXT_COLUMNS:
            setattr(row, name, value or "")
        elif name in INTEGER_COLUMNS:
            setattr(row, name, to_integer(name, value))
        elif name in COLUMNS:
            setattr(row, name, to_number(name, value))
        elif isinstance(value, int | float):
            row.details[name] = float(value)
    return row


def path_of(record: Mapping[str, Any]) -> str:
    """The path of a record; raises `FiqaError` where it has none."""
    path = record.get("path")
    if not isinstance(path, str):
        raise FiqaError("a row has no path: give a report that fiqa score wrote")
    return path


def to_number(name: str, value: object) -> float | None:
    """A number of column `name` from text or a number; empty and NaN are `None`."""
    if value is None or value == "":
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise FiqaError(f"column {name} holds {value!r}, which is not a number") from None
    return None if math.isnan(number) else number


def to_integer(name: str, value: object) -> int | None:
    """A whole number of column `name`; `3.0` is one, as other tools write columns with gaps."""
    number = to_number(name, value)
    if number is None:
        return None
    if not number.is_integer():
        raise FiqaError(f"column {name} holds {value!r}, which is not a whole number")
    return int(number)


def to_bytes(text: str) -> bytes:
    """UTF-8 with surrogate escapes given back as the bytes they stand for.

    Raises `FiqaError` for surrogates that stand for no byte, which no file name holds.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise FiqaError(f"{text!r} holds half a surrogate pair: correct that row") from None


def from_bytes(raw: bytes) -> str:
    """The inverse of `to_bytes`."""
    return raw.decode("utf-8", "surrogateescape")


def shortest(value: float) -> float:
    """The number with the fewest decimal digits that is `value` once rounded to float32.

    Numbers below 1.2e-38 may keep a few more, and those beyond float32 stay as they are.
    """
    try:
        single = struct.pack("f", value)
        # A float32 never needs more than nine digits, and six always survive it.
        for digits in (6, 7, 8):
            candidate = float(f"{value:.{digits}g}")
            if struct.pack("f", candidate) == single:
                return candidate
    except OverflowError:
        return value
    return float(f"{value:.9g}")


def _cell(name: str, value: Any) -> Any:
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    return round(value, 2) if _in_pixels(name) else shortest(value)


def _in_pixels(name: str) -> bool:
    return name in PIXEL_COLUMNS or name.endswith(("_x", "_y"))
