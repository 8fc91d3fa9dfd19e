"""PNG files that are made to harm."""

import struct
import zlib
from collections.abc import Iterator
from functools import cache

from hostile.exif import exifs
from hostile.seeds import seeds

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def header(width: int, height: int, bits: int = 8, colours: int = 2, interlaced: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, interlaced))


@cache
def zeros(size: int) -> bytes:
    """`size` zeros, packed a thousand to one."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    packed = [
        packer.compress(block[: min(size - at, len(block))]) for at in range(0, size, 1 << 20)
    ]
    return b"".join(packed) + packer.flush()


def image(width: int, height: int, data: bytes, **kind: int) -> bytes:
    return SIGNATURE + header(width, height, **kind) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def with_chunks(content: bytes, *more: bytes) -> bytes:
    """Behind the header, which is 25 bytes long."""
    return content[:33] + b"".join(more) + content[33:]


def pngs() -> Iterator[tuple[str, bytes]]:
    whole = seeds()["png"][1]
    few = zlib.compress(bytes(5000))
    for width, height in (
        (0, 0), (0, 9), (9, 0), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1), (1, 2**31 - 1),
        (2**32 - 1, 2**32 - 1), (50_000, 50_000), (13_000, 13_000), (178_000_000, 1), (16,
        11_000_000),
    ):  # fmt: skip
        yield f"declared-{width}x{height}", image(width, height, few)
    for bits, colours in ((0, 0), (3, 3), (16, 3), (1, 2), (255, 255), (16, 6), (1, 4)):
        yield f"kind-{bits}-{colours}", image(48, 40, few, bits=bits, colours=colours)
    yield "bomb-grey", image(13_000, 13_000, zeros(13_000 * 13_001), colours=0)
    yield "bomb-rgba", image(9_000, 9_000, zeros(9_000 * 36_001), colours=6)
    yield "bomb-deep", image(7_000, 7_000, zeros(7_000 * 14_001), bits=16, colours=0)
    yield "bomb-interlaced", image(6_000, 6_000, zeros(6_000 * 18_100), interlaced=1)
    yield "bomb-one-bit", image(13_000, 13_000, zeros(13_000 * 1_626), bits=1, colours=0)
    yield "too-much-data", image(48, 40, zeros(100_000_000))
    bomb = zeros(200_000_000)
    yield "ztxt-bomb", with_chunks(whole, chunk(b"zTXt", b"k\0\0" + bomb))
    yield "ztxt-bombs", with_chunks(whole, *[chunk(b"zTXt", b"k\0\0" + zeros(900_000))] * 200)
    yield "itxt-bomb", with_chunks(whole, chunk(b"iTXt", b"k\0\1\0\0\0" + bomb))
    yield "iccp-bomb", with_chunks(whole, chunk(b"iCCP", b"p\0\0" + bomb))
    yield "text-huge", with_chunks(whole, chunk(b"tEXt", b"k\0" + b"t" * 5_000_000))
    yield "text-many", with_chunks(whole, *[chunk(b"tEXt", b"k\0v")] * 100_000)
    yield "unknown-many", with_chunks(whole, *[chunk(b"abCd", b"")] * 100_000)
    yield "palette-none", image(48, 40, few, colours=3)
    yield "palette-huge", with_chunks(image(48, 40, few, colours=3), chunk(b"PLTE", bytes(3 * 999)))
    yield "palette-odd", with_chunks(image(48, 40, few, colours=3), chunk(b"PLTE", bytes(4)))
    yield "transparency-odd", with_chunks(whole, chunk(b"tRNS", bytes(999)))
    yield "two-headers", with_chunks(whole, header(9, 9))
    yield "no-header", SIGNATURE + chunk(b"IDAT", few) + chunk(b"IEND", b"")
    yield "no-data", SIGNATURE + header(48, 40) + chunk(b"IEND", b"")
    yield (
        "empty-data",
        SIGNATURE + header(48, 40) + chunk(b"IDAT", b"") * 1000 + chunk(b"IEND", b""),
    )
    yield "length-lies", whole[:33] + b"\xff\xff\xff\xff" + whole[37:]
    yield "wrong-checksum", whole[:29] + b"\0\0\0\0" + whole[33:]
    yield "frames-lie", with_chunks(whole, chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)))
    yield "no-frames", with_chunks(whole, chunk(b"acTL", struct.pack(">II", 0, 0)))
    control = struct.pack(">IIIIIHHBB", 0, 2**30, 2**30, 2**30, 2**30, 0, 0, 9, 9)
    yield (
        "frame-beyond",
        with_chunks(whole, chunk(b"acTL", struct.pack(">II", 2, 0)), chunk(b"fcTL", control)),
    )
    for name, exif in exifs():
        yield f"exif-{name}", with_chunks(whole, chunk(b"eXIf", exif))
