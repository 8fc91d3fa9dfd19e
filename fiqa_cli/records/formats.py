"""The formats of a report, and how one is recognised or chosen."""

import sys
from pathlib import Path

from fiqa_cli.errors import FiqaError

FORMATS = ("csv", "json", "jsonl", "parquet")
"""What files hold; `table`, for people, is only ever written."""

_SUFFIXES = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_SUFFIXES |= {".parquet": "parquet", ".pq": "parquet"}

BOM = b"\xef\xbb\xbf"


def format_of_name(path: Path) -> str | None:
    """The format that the extension of `path` names, if any."""
    return _SUFFIXES.get(path.suffix.lower())


def format_of_content(head: bytes) -> str | None:
    """The format of a file that begins with `head`; `None` for an empty one."""
    if head.startswith(b"PAR1") or (head and b"PAR1".startswith(head)):
        return "parquet"
    text = head.removeprefix(BOM).lstrip()
    if not text:
        return None
    return {b"[": "json", b"{": "jsonl"}.get(text[:1], "csv")


def output_format(target: Path | None, asked: str | None, default: str = "csv") -> str:
    """`asked`, else what the name of `target` says, else `default`; a table on a terminal.

    `target` is `None` for standard output. Raises `FiqaError` for an unknown format, and for
    Parquet on a terminal.
    """
    if asked is not None and asked not in FORMATS:
        raise FiqaError(f"unknown format {asked!r}: choose one of {', '.join(FORMATS)}")
    if target is not None:
        return asked or format_of_name(target) or default
    if not sys.stdout.isatty():
        return asked or default
    if asked == "parquet":
        raise FiqaError("Parquet is not for a terminal: give a file with -o")
    return asked or "table"
