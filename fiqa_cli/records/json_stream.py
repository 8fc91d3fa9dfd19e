"""JSON Lines and JSON arrays out of chunks of bytes, one object at a time."""

import codecs
import json
import re
from collections.abc import Iterable, Iterator

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.batches import JsonBatch
from fiqa_cli.records.formats import BOM
from fiqa_cli.records.row import Record, from_bytes, to_bytes

LONGEST = 1 << 20
"""Characters of the longest object taken for one; more is an object that nobody closed."""

_GAP = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def jsonl_batches(chunks: Iterable[bytes]) -> Iterator[JsonBatch]:
    """The batches of a JSON Lines file, one for each chunk. Blank lines are skipped.

    Raises `FiqaError` for a line that is no object, such as a last one that was cut off.
    """
    rest = b""
    count = 0
    for chunk in _ended(chunks):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        if lines and not count:
            lines[0] = lines[0].removeprefix(BOM)
        raw = [line for line in lines if line.strip()]
        objects = []
        for line in raw:
            count += 1
            objects.append(_parse_line(line, count))
        yield JsonBatch("jsonl", objects, raw)


def json_batches(chunks: Iterable[bytes]) -> Iterator[JsonBatch]:
    """The batches of a file that holds one JSON array of objects, one for each chunk.

    Raises `FiqaError` for elements that are no objects and for an array that does not end.
    """
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    array = _Array()
    for chunk in chunks:
        yield array.feed(decode(chunk))
    array.feed(decode(b"", True))
    array.finish()


class _Array:
    """What is known of an array whose text comes in pieces."""

    def __init__(self) -> None:
        self.text = ""
        self.count = 0
        # What may come next: `[` at the start, then an element, then `,` or `]`, then nothing.
        self.expected = "["

    def feed(self, text: str) -> JsonBatch:
        """The objects that `text` completes."""
        self.text += text
        if self.expected == "[":
            self.text = self.text.removeprefix("\ufeff")
        objects: list[Record] = []
        raw: list[bytes] = []
        at = 0
        while (at := _skip_gap(self.text, at)) < len(self.text):
            if self.expected == "{" and self.text[at] == "{":
                try:
                    value, end = _DECODER.raw_decode(self.text, at)
                except ValueError:
                    break
                objects.append(value)
                raw.append(to_bytes(self.text[at:end]))
                self.count += 1
                at, self.expected = end, ","
            else:
                self._punctuate(self.text[at])
                at += 1
        self.text = self.text[at:]
        if len(self.text) > LONGEST:
            raise FiqaError(f"row {self.count + 1} is no JSON object: {self.text[:80]!r}")
        return JsonBatch("json", objects, raw)

    def _punctuate(self, character: str) -> None:
        if character == self.expected and character != "{":
            self.expected = "{"
        elif character == "]" and self.expected == ("," if self.count else "{"):
            self.expected = ""
        else:
            raise FiqaError(f"after row {self.count} comes {character!r}: not an array of objects")

    def finish(self) -> None:
        empty = self.expected == "[" and not self.text
        if not empty and (self.expected or self.text):
            raise FiqaError(
                f"the array is cut off after row {self.count}; the rows before it are whole"
            )


def _skip_gap(text: str, at: int) -> int:
    match = _GAP.match(text, at)
    return match.end() if match else at


def _ended(chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield from chunks
    yield b"\n"


def _parse_line(line: bytes, number: int) -> Record:
    try:
        value = json.loads(from_bytes(line))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        text = line[:80].decode(errors="replace")
        raise FiqaError(f"row {number} is no JSON object (was it cut off?): {text!r}")
    return value
