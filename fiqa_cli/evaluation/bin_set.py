"""InsightFace's verification sets (`lfw.bin`, `cfp_fp.bin`, …): a pickle of (images, flags).

Images are encoded files, two for each flag. A pickle is a program, so it is let do nothing but
build plain values: each opcode must be on a list, and no name is ever imported.
"""

import io
import pickle
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.pairs import Pairs, identities_of_mated, read_whole

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


@dataclass(frozen=True, slots=True, eq=False)
class BinSet:
    """The images and pairs of a set."""

    images: list[bytes]
    """Encoded images `[F]`, each once."""
    pairs: Pairs
    """Pairs whose faces `[F]` are `PATH::NUMBER`, after the first place of each image."""


def read_bin_set(path: Path) -> BinSet:
    """Read an InsightFace `.bin` set, pickled by Python 2 or 3.

    Images that occur in several pairs are taken for one face; identities are what
    `identities_of_mated` makes of the pairs. Raises `FiqaError` for a file that cannot be read,
    that is cut off, or whose pickle holds, or would do, anything else; nothing of it is run.
    """
    content = _unpickled(path, read_whole(path))
    try:
        encoded, flags = content
        fits = len(encoded) == 2 * len(flags) > 0
    except (TypeError, ValueError):
        fits = False
    if not (
        fits
        and all(isinstance(image, bytes) for image in encoded)
        and all(isinstance(flag, int) and flag in (0, 1) for flag in flags)
    ):
        raise FiqaError(f"{path} is no InsightFace set: expected two encoded images for each flag")
    places: dict[bytes, int] = {}
    for place, image in enumerate(encoded):
        places.setdefault(image, place)
    rows = {image: row for row, image in enumerate(places)}
    first, second = np.array([rows[image] for image in encoded]).reshape(-1, 2).T
    mated = np.array(flags, np.bool_)
    identities = identities_of_mated(len(rows), first[mated], second[mated])
    faces = [f"{path}::{place}" for place in places.values()]
    return BinSet(list(rows), Pairs(faces, first, second, mated, identities))


def _unpickled(path: Path, raw: bytes) -> Any:
    try:
        return _PlainUnpickler(io.BytesIO(raw), encoding="bytes").load()
    except _Refused as refused:
        raise FiqaError(f"refused to unpickle {path}: {refused}") from None
    except Exception:  # broken pickles raise anything: EOFError, KeyError, MemoryError, …
        raise FiqaError(f"{path} is cut off, or is no InsightFace set at all") from None


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
