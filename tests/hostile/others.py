"""GIF, BMP, WebP, Netpbm, JPEG 2000 and AVIF files that are made to harm."""

import struct
from collections.abc import Iterator

from hostile.seeds import seeds


def gif(width: int, height: int, frame: tuple[int, int, int, int], data: bytes) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return screen + b"," + struct.pack("<HHHHB", *frame, 0) + data + b";"


def gifs() -> Iterator[tuple[str, bytes]]:
    whole = seeds()["gif"][1]
    clear = b"\x02\x02\x4c\x01\0"
    for width, height in ((0, 0), (65535, 65535), (13_000, 13_000), (1, 65535)):
        yield f"screen-{width}x{height}", gif(width, height, (0, 0, 9, 9), clear)
        yield f"frame-{width}x{height}", gif(9, 9, (0, 0, width, height), clear)
    yield "frame-outside", gif(48, 40, (65000, 65000, 48, 40), clear)
    for bits in (0, 1, 9, 12, 13, 255):
        yield f"code-{bits}", gif(48, 40, (0, 0, 48, 40), bytes([bits]) + b"\xff" * 256)
    yield "many-comments", whole[:13] + b"!\xfe\xffccc" * 9 + whole[13:]
    comment = b"!\xfe" + (b"\xff" + b"c" * 255) * 20_000 + b"\0"
    yield "long-comment", gif(48, 40, (0, 0, 48, 40), clear).replace(b",", comment + b",", 1)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 48, 40, 0) + clear
    yield "many-frames", gif(48, 40, (0, 0, 48, 40), clear + frame * 50_000)
    yield "endless-blocks", gif(48, 40, (0, 0, 48, 40), b"\x02" + b"\x01\x4c" * 100_000)


def bmps() -> Iterator[tuple[str, bytes]]:
    for width, height in (
        (0, 0), (48, 0), (2**31 - 1, 2**31 - 1), (-48, 40), (48, -40), (13_000, 13_000), (48,
        -(2**31)),
    ):  # fmt: skip
        for bits, compression in (
            (24, 0),
            (8, 1),
            (4, 2),
            (16, 3),
            (0, 0),
            (8, 4),
            (32, 6),
            (99, 99),
        ):
            head = struct.pack(
                "<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0
            )
            start = struct.pack("<2sIHHI", b"BM", 2**32 - 1, 0, 0, 54)
            yield f"{width}x{height}-{bits}-{compression}", start + head + b"\xff\0\x02\xff" * 400
    for size in (0, 12, 64, 124, 2**32 - 1):
        yield f"header-{size}", b"BM" + struct.pack("<IHHII", 99, 0, 0, 54, size) + bytes(400)
    colours = struct.pack("<IiiHHIIiiII", 40, 48, 40, 1, 8, 0, 0, 0, 0, 2**32 - 1, 0)
    yield "palette-huge", b"BM" + struct.pack("<IHHI", 99, 0, 0, 2**32 - 1) + colours + bytes(3000)


def webps() -> Iterator[tuple[str, bytes]]:
    whole, lossless = seeds()["webp"][1], seeds()["lossless"][1]
    for size in (0, 4, 2**32 - 1, 2**31):
        yield f"riff-{size}", whole[:4] + struct.pack("<I", size) + whole[8:]
        yield f"chunk-{size}", whole[:16] + struct.pack("<I", size) + whole[20:]
    for side in (0, 1, 0x3FFF):
        yield f"lossy-{side}", whole[:26] + struct.pack("<HH", side, side) + whole[30:]
        packed = struct.pack("<I", max(side - 1, 0) | max(side - 1, 0) << 14)
        yield f"lossless-{side}", lossless[:21] + packed + lossless[25:]
    canvas = b"VP8X\x0a\0\0\0" + b"\xff" * 10
    yield "canvas-huge", whole[:12] + canvas + whole[12:]
    unknown = b"ABCD\0\0\0\0" * 100_000
    yield "many-chunks", b"RIFF" + struct.pack("<I", len(unknown) + len(whole)) + b"WEBP" + unknown
    yield "riff-in-riff", whole[:12] + whole * 3


def netpbms() -> Iterator[tuple[str, bytes]]:
    for kind in b"1234567fFyz":
        for size in (
            b"0 0",
            b"-1 -1",
            b"48 40",
            b"999999999 999999999",
            b"13000 13000",
            b"1e3 2",
            b"x",
        ):
            for most in (b"255", b"0", b"65536", b"-1", b"nan"):
                head = b"P" + bytes([kind]) + b"\n" + size + b"\n" + most + b"\n"
                yield f"{chr(kind)}-{size.decode()}-{most.decode()}", head + b"7 " * 3000
    yield "comment", b"P6\n#" + b"c" * 5_000_000 + b"\n48 40\n255\n" + bytes(5760)
    yield "long-number", b"P3\n" + b"9" * 1_000_000 + b" 9\n255\n"
    yield "long-token", b"P3\n48 40\n255\n" + b"1" * 1_000_000


def jp2s() -> Iterator[tuple[str, bytes]]:
    whole = seeds()["j2k"][1]
    at = whole.index(b"\xff\x51") + 6
    for width, height in ((0, 0), (2**32 - 1, 2**32 - 1), (13_000, 13_000), (2**31, 1)):
        for tile in (0, 1, 48, 2**32 - 1):
            size = struct.pack(">8I", width, height, 0, 0, tile, tile, 0, 0)
            yield f"{width}x{height}-{tile}", whole[:at] + size + whole[at + 32 :]
    for count in (0, 1, 255, 16384, 65535):
        yield f"components-{count}", whole[: at + 32] + struct.pack(">H", count) + whole[at + 34 :]
    for layers in (0, 65535):
        style = whole.index(b"\xff\x52") + 6
        yield f"layers-{layers}", whole[:style] + struct.pack(">H", layers) + whole[style + 2 :]
    for levels in (0, 32, 33, 255):
        style = whole.index(b"\xff\x52") + 9
        yield f"levels-{levels}", whole[:style] + bytes([levels]) + whole[style + 1 :]


def avifs() -> Iterator[tuple[str, bytes]]:
    whole = seeds()["avif"][1]
    for box in (
        b"meta",
        b"hdlr",
        b"pitm",
        b"iloc",
        b"iinf",
        b"iprp",
        b"ipco",
        b"ispe",
        b"av1C",
        b"mdat",
    ):
        if (at := whole.find(box)) > 0:
            for size in (0, 1, 7, 2**31, 2**32 - 1):
                changed = struct.pack(">I", size)
                yield f"{box.decode()}-{size}", whole[: at - 4] + changed + whole[at:]
            yield f"{box.decode()}-gone", whole.replace(box, b"free")
            yield f"{box.decode()}-full", whole[: at + 4] + b"\xff" * 16 + whole[at + 20 :]
    nested = b""
    for _ in range(5_000):
        nested = struct.pack(">I", len(nested) + 8) + b"meta" + nested
    yield "nested", whole[: struct.unpack(">I", whole[:4])[0]] + nested
    size = whole.index(b"ispe") + 8
    for width, height in ((0, 0), (2**32 - 1, 2**32 - 1), (65536, 65536), (13_000, 13_000)):
        yield (
            f"{width}x{height}",
            whole[:size] + struct.pack(">II", width, height) + whole[size + 8 :],
        )
