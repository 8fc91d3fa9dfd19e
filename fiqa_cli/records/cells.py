"""CSV cells: quoting, and the guard that keeps a spreadsheet from running one.

A text cell that begins with `=`, `+`, `-`, `@`, tab or carriage return would be run as a formula.
It is written behind an apostrophe, and so is a cell that already begins with apostrophes before
one of these, which makes the guard reversible: a reader takes exactly one apostrophe away.
"""

import csv
import json
import math
import re
from collections.abc import Iterable
from typing import Any

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.row import (
    COLUMNS,
    INTEGER_COLUMNS,
    TEXT_COLUMNS,
    from_bytes,
    to_integer,
    to_number,
)

_RUNS = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")
_SPECIAL = re.compile(r'[",\r\n]')


def guard(text: str) -> str:
    """`text` such that no spreadsheet runs it."""
    return f"'{text}" if _RUNS.match(text) else text


def unguard(cell: str) -> str:
    """The inverse of `guard`; text that was never guarded stays as it is."""
    return cell[1:] if cell.startswith("'") and _GUARDED.match(cell) else cell


def format_line(values: Iterable[Any]) -> str:
    """One CSV line, ended by a line feed. `None` and NaN are empty, text is guarded."""
    line = ",".join(map(_format_cell, values))
    # A lone empty cell must not look like a blank line, which readers skip.
    return f"{line}\n" if line else '""\n'


def split_line(line: bytes) -> list[str]:
    """The cells of one CSV record, quoted or not, as they stand, guards included.

    Raises `FiqaError` for a record whose quotes do not pair.
    """
    text = from_bytes(line).removesuffix("\r")
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True), [""])
    except csv.Error as error:
        raise FiqaError(f"this is no CSV row ({error}): {text[:80]!r}") from None


def parse_cell(name: str, cell: str) -> Any:
    """The value of a cell of column `name`.

    In columns that fiqa does not know, a number is one only if it would be written back with
    the same digits, so that `007` stays text. Raises `FiqaError` for a number that is not one.
    """
    if name in TEXT_COLUMNS:
        return unguard(cell)
    if name in INTEGER_COLUMNS:
        return to_integer(name, cell)
    if name in COLUMNS:
        return to_number(name, cell)
    return _parse_unknown(cell)


def _parse_unknown(cell: str) -> Any:
    if not cell:
        return None
    if cell[0] in "-0123456789":
        for kind in (int, float):
            try:
                number = kind(cell)
            except ValueError:
                continue
            if math.isfinite(number) and repr(number) == cell:
                return number
    return unguard(cell)


def _format_cell(value: Any) -> str:
    if value is None or value != value:  # NaN alone differs from itself
        return ""
    if isinstance(value, str):
        text = guard(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    else:
        text = json.dumps(value, default=str)
    if _SPECIAL.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text
