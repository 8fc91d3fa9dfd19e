"""TIFF directories that are made to harm: as EXIF within other files, and as files of their own."""

import struct
from collections.abc import Iterable, Iterator

Entry = tuple[int, int, int, int]
"""Tag, type, count, and value or offset."""

ORIENTATION, EXIF, GPS, MAKER, SUB, INTEROP = 0x0112, 0x8769, 0x8825, 0x927C, 0x014A, 0xA005


def directory(entries: Iterable[Entry], following: int = 0) -> bytes:
    rows = [struct.pack("<HHII", *entry) for entry in entries]
    return struct.pack("<H", len(rows)) + b"".join(rows) + struct.pack("<I", following)


def tiff(entries: Iterable[Entry], following: int = 0, data: bytes = b"") -> bytes:
    return b"II*\0\x08\0\0\0" + directory(entries, following) + data


def exifs() -> Iterator[tuple[str, bytes]]:
    most = 0xFFFFFFFF
    yield "loop", tiff([(ORIENTATION, 3, 1, 6)], following=8)
    yield "pointers-to-itself", tiff([(tag, 4, 1, 8) for tag in (EXIF, GPS, SUB, INTEROP)])
    yield "pointer-beyond", tiff([(EXIF, 4, 1, most), (GPS, 4, 1, 0)])
    for kind in range(14):
        yield f"count-{kind}", tiff([(ORIENTATION, kind, most, 8), (MAKER, kind, 1 << 24, 8)])
    yield "orientation-0", tiff([(ORIENTATION, 3, 1, 0)])
    yield "orientation-9", tiff([(ORIENTATION, 3, 1, 9)])
    yield "orientation-text", tiff([(ORIENTATION, 2, 4, 0x41414141)])
    yield "orientation-many", tiff([(ORIENTATION, 3, 1, number % 9) for number in range(5_000)])
    yield "orientation-fraction", tiff([(ORIENTATION, 5, 1, 8)])
    yield "full", tiff((tag, 7, most, tag) for tag in range(5_400))
    yield "cut", tiff([(ORIENTATION, 3, 1, 6)])[:15]
    yield "nothing", b""
    yield "no-header", b"\0" * 40
    yield "lies-about-rows", b"II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 30
    yield "starts-beyond", b"II*\0\xff\xff\xff\xff"
    yield "starts-at-header", b"II*\0\0\0\0\0"
    yield "big", b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, most) + bytes(40)
