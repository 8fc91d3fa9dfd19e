"""The table that a person sees on a terminal: one line a row, as rows come."""

# ruff: noqa: D102 - what overrides a method of Writer is documented there
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from fiqa_cli.records.row import Record, to_number
from fiqa_cli.records.writers import Writer

if TYPE_CHECKING:
    from rich.text import Text

FACE, STATUS, BAR = 4, 10, 10
QUALITY = 7
NARROWEST = 60

_STYLES = {"ok": "green", "no-face": "yellow", "too-small": "yellow"}


class TableWriter(Writer):
    """Path, face, status, quality with a bar from 0 to 1, and error, in fixed widths.

    The widths come from the terminal when the table begins; colours heed `NO_COLOR`.
    """

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        free = max(self._console.width, NARROWEST) - FACE - STATUS - QUALITY - BAR - 10
        self._error = max(free // 3, 8)
        self._path = free - self._error
        self._begun = False

    def write_records(self, records: Iterable[Record]) -> None:
        for record in records:
            if not self._begun:
                self.close()
            self._console.print(self._line(record), soft_wrap=True)

    def close(self) -> None:
        """Without any row, the head still shows what there would have been."""
        if not self._begun:
            self._begun = True
            titles = (
                fit("path", self._path),
                "face".rjust(FACE),
                fit("status", STATUS),
                fit("quality", QUALITY + 1 + BAR),
                "error",
            )
            self._console.print("  ".join(titles), style="bold", soft_wrap=True)

    def _line(self, record: Record) -> "Text":
        from rich.text import Text

        status = str(record.get("status") or "")
        quality = to_number("quality", record.get("quality"))
        face = record.get("face")
        line = Text(fit(str(record.get("path", "")), self._path, keep_end=True))
        line.append("  " + ("" if face is None else str(face)).rjust(FACE) + "  ")
        line.append(fit(status, STATUS), _STYLES.get(status, "red"))
        number = "" if quality is None else f"{quality:.4f}"
        line.append("  " + number.rjust(QUALITY) + " ")
        line.append(bar(quality), "cyan")
        line.append("  " + fit(str(record.get("error") or ""), self._error).rstrip())
        line.rstrip()
        return line


def bar(quality: float | None) -> str:
    """`BAR` characters, filled in eighths from 0 to 1; blank without a quality."""
    if quality is None:
        return " " * BAR
    full, eighth = divmod(round(min(max(quality, 0.0), 1.0) * BAR * 8), 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[eighth] if eighth else "")).ljust(BAR)


def fit(text: str, width: int, keep_end: bool = False) -> str:
    """`text` in exactly `width` terminal cells; too long, it loses its end or its beginning."""
    from rich.cells import cell_len, chop_cells, set_cell_size

    text = printable(text)
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    if not keep_end:
        return set_cell_size(text, width - 1) + "…"
    tail = chop_cells(text[::-1], width - 1)[0][::-1]
    return set_cell_size("…" + tail, width)


def printable(text: str) -> str:
    """`text` with escapes for what a terminal would obey, or cannot show."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
