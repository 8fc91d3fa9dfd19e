"""JPEG files that are made to harm."""

import struct
from collections.abc import Iterator

from hostile.exif import exifs
from hostile.seeds import seeds


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def frame(width: int, height: int, components: int = 3, kind: int = 0xC0) -> bytes:
    parts = b"".join(struct.pack("BBB", number + 1, 0x11, 0) for number in range(components))
    return segment(kind, struct.pack(">BHHB", 8, height, width, components) + parts)


def scans(width: int, height: int, count: int) -> bytes:
    """A grey progressive file with as many scans; ten bytes each, and each goes over all pixels."""
    codes = bytes(16)
    tables = segment(0xDB, b"\0" + bytes([1] * 64))
    for table in (0x00, 0x10):
        tables += segment(0xC4, bytes([table, 1]) + codes[1:] + b"\0")
    first = segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + bytes(16)
    again = segment(0xDA, b"\x01\x01\x00\x01\x3f\x00")
    head = b"\xff\xd8" + tables + frame(width, height, 1, 0xC2)
    return head + first + again * count + b"\xff\xd9"


def with_segments(content: bytes, *more: bytes) -> bytes:
    return content[:2] + b"".join(more) + content[2:]


def profile(part: int, of: int, size: int = 60_000) -> bytes:
    return segment(0xE2, b"ICC_PROFILE\0" + bytes([part % 256, of % 256]) + bytes(size))


def jpegs() -> Iterator[tuple[str, bytes]]:
    whole = seeds()["jpeg"][1]
    at = whole.index(b"\xff\xc0") + 5
    for width, height in (
        (0, 0), (0, 40), (48, 0), (65535, 65535), (65535, 1), (1, 65535), (12000, 12000),
        (65500, 2700), (48, 65535),
    ):  # fmt: skip
        yield (
            f"declared-{width}x{height}",
            whole[:at] + struct.pack(">HH", height, width) + whole[at + 4 :],
        )
    for components in (0, 1, 2, 4, 5, 255):
        yield f"components-{components}", with_segments(whole, frame(48, 40, components))
    for name, exif in exifs():
        if len(exif) < 65_000:
            yield f"exif-{name}", with_segments(whole, segment(0xE1, b"Exif\0\0" + exif))
    yield (
        "many-app",
        with_segments(whole, *[segment(0xE0 + n % 16, b"x" * 9) for n in range(50_000)]),
    )
    yield "many-comments", with_segments(whole, *[segment(0xFE, b"c" * 60_000)] * 200)
    yield "icc-huge", with_segments(whole, *[profile(n + 1, 255) for n in range(255)])
    yield "icc-lies", with_segments(whole, *[profile(n, 3, 10) for n in (0, 9, 9, 255)])
    yield "segment-too-long", whole[:2] + b"\xff\xe1\xff\xff" + whole[2:]
    yield "segment-too-short", whole[:2] + b"\xff\xe1\x00\x00" + whole[2:]
    yield "segment-of-one", whole[:2] + b"\xff\xe1\x00\x01" + whole[2:]
    yield "fill-bytes", b"\xff\xd8" + b"\xff" * 1_000_000 + whole[3:]
    yield "two-frames", with_segments(whole, frame(9, 9))
    yield "no-tables", b"\xff\xd8" + frame(48, 40) + whole[whole.index(b"\xff\xda") :]
    yield "arithmetic", whole.replace(b"\xff\xc0", b"\xff\xc9", 1)
    yield "lossless", whole.replace(b"\xff\xc0", b"\xff\xc3", 1)
    yield "jpeg-in-jpeg", with_segments(whole, segment(0xE1, whole[:60_000]))
    yield (
        "mpf",
        with_segments(whole, segment(0xE2, b"MPF\0MM\0*\0\0\0\x08\xff\xff" + b"\xb0\x02" * 99)),
    )
    yield (
        "photoshop",
        with_segments(whole, segment(0xED, b"Photoshop 3.0\0" + b"8BIM\xff\xff" * 99)),
    )
    yield "restarts", with_segments(whole, segment(0xDD, b"\0\x01"))
    for side, count in ((400, 2_000), (2_000, 20_000), (8_000, 100_000), (60_000, 10)):
        yield f"scans-{side}-{count}", scans(side, min(side, 2_900_000 // side * 60), count)
