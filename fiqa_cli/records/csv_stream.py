"""CSV out of chunks of bytes: whole records, whatever line feeds their quotes hold."""

from collections.abc import Iterable, Iterator

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.batches import CsvBatch
from fiqa_cli.records.cells import split_line, unguard
from fiqa_cli.records.formats import BOM

LONGEST = 1 << 20
"""Bytes of the longest record taken for one; more is a quote that nobody closed."""


def csv_batches(chunks: Iterable[bytes]) -> Iterator[CsvBatch]:
    """The batches of a CSV file, one for each chunk; the first says the columns.

    Blank lines are skipped. Raises `FiqaError` for a row with more or fewer cells than the
    header, which also finds a last line that was cut off.
    """
    header = b""
    columns: list[str] = []
    count = 0
    for lines, quoted in csv_lines(chunks):
        if not columns:
            while lines and not lines[0].strip():
                lines.pop(0)
            if not lines:
                continue
            header = lines.pop(0)
            columns = [unguard(cell) for cell in split_line(header.removeprefix(BOM))]
        whole = _check(lines, len(columns), count)
        count += len(lines)
        yield CsvBatch(header, columns, whole, quoted)


def csv_lines(chunks: Iterable[bytes]) -> Iterator[tuple[list[bytes], bool]]:
    """Records without their final line feed, those that a chunk completes; and if any is quoted."""
    rest = b""
    for chunk in chunks:
        if b"\n" not in chunk and len(rest) < LONGEST:
            rest += chunk
            continue
        before = b'"' in rest
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        quoted = b'"' in chunk or before
        if quoted:
            lines, rest = _join_quoted(lines, rest)
        if len(rest) >= LONGEST:
            raise FiqaError(f"a quote is not closed after {rest[:80]!r}")
        yield lines, quoted
    if rest:
        if rest.count(b'"') % 2:
            raise FiqaError(f"the last row is cut off within quotes: {rest[-80:]!r}")
        yield [rest], True


def _join_quoted(lines: list[bytes], rest: bytes) -> tuple[list[bytes], bytes]:
    """Put together lines that were split at a line feed within quotes."""
    records: list[bytes] = []
    parts: list[bytes] = []
    for line in lines:
        if parts:
            parts.append(line)
            if line.count(b'"') % 2:
                records.append(b"\n".join(parts))
                parts = []
        elif line.count(b'"') % 2:
            parts = [line]
        else:
            records.append(line)
    return records, b"\n".join([*parts, rest])


def _check(lines: list[bytes], width: int, before: int) -> list[bytes]:
    """The lines that are not blank, if each has `width` cells."""
    commas = width - 1
    counts = [line.count(b",") for line in lines]
    if commas and counts.count(commas) == len(lines):
        return lines
    odd = [i for i, n in enumerate(counts) if n != commas or not lines[i]]
    blank = set()
    for i in odd:
        if not lines[i].strip():
            blank.add(i)
        elif (cells := len(split_line(lines[i]))) != width:
            raise FiqaError(
                f"row {before + i + 1} has {cells} cells where the header has {width}"
                f" (was it cut off?): {lines[i][:80].decode(errors='replace')!r}"
            )
    return [line for i, line in enumerate(lines) if i not in blank] if blank else lines
