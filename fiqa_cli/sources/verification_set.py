"""InsightFace's verification sets (`lfw.bin`, `cfp_fp.bin`, …): a pickle of (images, flags).

Images are encoded files, two for each flag. A pickle is a program, so it is let do nothing but
build plain values: each opcode must be on a list, and no name is ever imported.
"""

import io
import pickle
import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from fiqa_cli.sources.entry import Entry
from fiqa_cli.sources.opening import held, number_in, open_storage
from fiqa_cli.sources.reasons import UnreadableImage

LARGEST_SET = 1 << 31
"""Bytes; a set is read as a whole, and none is so large."""

_PLAIN = {
    "PROTO", "FRAME", "STOP", "MARK", "NONE",
    "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "EMPTY_LIST", "LIST", "APPEND", "APPENDS",
    "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3",
    "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET",
    "GLOBAL", "STACK_GLOBAL", "REDUCE",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SetImage:
    """The place of an image in a verification set."""

    file: str
    number: int

    def read(self) -> bytes:
        """See `Place`."""
        return held(_images, self.file)[self.number]


def set_entries(path: str) -> Iterator[Entry]:
    """The images of a set, in order. Raises `UnreadableImage` if it is none."""
    for number in range(len(held(_images, path))):
        yield Entry(f"{path}::{number}", place=SetImage(path, number))


def set_entry(path: str, member: str) -> Iterator[Entry]:
    """The image of a number, if there is one; raises as `set_entries`."""
    number = number_in(member)
    if 0 <= number < len(held(_images, path)):
        yield Entry(f"{path}::{member}", place=SetImage(path, number))


def parse_set(content: bytes) -> tuple[list[bytes], list[int]]:
    """The encoded images of a set, pickled by Python 2 or 3, and a flag for every two of them.

    Raises `UnreadableImage` for content that is cut off, or whose pickle holds, or would do,
    anything else; nothing of it is run.
    """
    found = _unpickled(content)
    try:
        encoded, flags = found
        fits = len(encoded) == 2 * len(flags) > 0
    except (TypeError, ValueError):
        fits = False
    if not (
        fits
        and all(isinstance(image, bytes) for image in encoded)
        and all(isinstance(flag, int) and flag in (0, 1) for flag in flags)
    ):
        raise UnreadableImage("no InsightFace set: expected two encoded images for each flag")
    return list(encoded), list(flags)


def _images(path: str) -> list[bytes]:
    storage = open_storage(path)
    if storage.size is None or storage.size > LARGEST_SET:
        raise UnreadableImage("no InsightFace set: too large, or of unknown size")
    return parse_set(storage.pread(0, storage.size))[0]


def _unpickled(content: bytes) -> Any:
    try:
        return _PlainUnpickler(io.BytesIO(content), encoding="bytes").load()
    except _Refused as refused:
        raise UnreadableImage(f"refused to unpickle it: {refused}") from None
    except Exception:  # broken pickles raise anything: EOFError, KeyError, MemoryError, …
        raise UnreadableImage("cut off, or no InsightFace set at all") from None


class _Refused(Exception):
    """A pickle asks for more than plain values."""


def _refuse(name: str) -> Callable[..., None]:
    def refuse(unpickler: object) -> None:
        raise _Refused(f"its opcode {name} does more than build plain values")

    return refuse


class _PlainUnpickler(pickle._Unpickler):
    # The unpickler in C has no table of opcodes to change, and makes room for a memo of any
    # number that a file names; that in Python has one, and does not.
    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        **pickle._Unpickler.dispatch,
        **{
            ord(opcode.code): _refuse(opcode.name)
            for opcode in pickletools.opcodes
            if opcode.name not in _PLAIN
        },
    }

    def find_class(self, module: str, name: str) -> Callable[..., bytes]:
        """The two ways in which Python 3 writes bytes for Python 2, by functions of our own."""
        if (module, name) == ("_codecs", "encode"):
            return _latin_1
        if module in ("__builtin__", "builtins") and name == "bytes":
            return _no_bytes
        wanted = f"{module}.{name}"[:80]
        raise _Refused(f"it asks for {wanted!a}, which is no plain value")


def _latin_1(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", b"latin1"):
        raise _Refused("it asks for a codec")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""
