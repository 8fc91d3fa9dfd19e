"""Small pictures in every format that is read, and where the parts of their files begin."""

import struct
from collections.abc import Iterator
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 48, 40

_ROWS, _COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH]
PICTURE = np.stack([_ROWS * 6, _COLUMNS * 5, 255 - _ROWS * 3 - _COLUMNS * 2], 2).astype(np.uint8)

_WAYS = (
    ("jpeg", "JPEG", {}),
    ("progressive", "JPEG", {"progressive": True}),
    ("cmyk", "JPEG", {}),
    ("png", "PNG", {}),
    ("palette", "PNG", {}),
    ("deep", "PNG", {}),
    ("apng", "PNG", {"save_all": True}),
    ("gif", "GIF", {}),
    ("animated", "GIF", {"save_all": True}),
    ("bmp", "BMP", {}),
    ("tiff", "TIFF", {}),
    ("lzw", "TIFF", {"compression": "tiff_lzw"}),
    ("deflate", "TIFF", {"compression": "tiff_deflate"}),
    ("packbits", "TIFF", {"compression": "packbits"}),
    ("jpegtiff", "TIFF", {"compression": "jpeg"}),
    ("webp", "WEBP", {}),
    ("lossless", "WEBP", {"lossless": True}),
    ("moving", "WEBP", {"save_all": True}),
    ("jp2", "JPEG2000", {}),
    ("j2k", "JPEG2000", {"no_jp2": True}),
    ("avif", "AVIF", {}),
    ("ppm", "PPM", {}),
    ("pgm", "PPM", {}),
)

EXTENSIONS = {"PPM": "ppm", "JPEG2000": "jp2", "JPEG": "jpg", "TIFF": "tif"}


@cache
def seeds() -> dict[str, tuple[str, bytes]]:
    """By name: the extension, and a whole file of 48x40 pixels."""
    modes = {"cmyk": "CMYK", "palette": "P", "pgm": "L", "gif": "P", "animated": "P"}
    found = {}
    for name, format, options in _WAYS:
        image = Image.fromarray(PICTURE)
        if name == "deep":
            image = Image.fromarray((_ROWS * 1600 + _COLUMNS).astype(np.uint16))
        elif name in modes:
            image = image.convert(modes[name])
        if "save_all" in options:
            options = {**options, "append_images": [image.rotate(180)] * 3}
        stream = BytesIO()
        image.save(stream, format, **options)
        found[name] = EXTENSIONS.get(format, format.lower()), stream.getvalue()
    return found


def parts(content: bytes) -> Iterator[int]:
    """Where the markers, chunks, blocks or boxes of a file begin, as far as it has such."""
    if content.startswith(b"\xff\xd8"):
        yield from _markers(content)
    elif content.startswith(b"\x89PNG"):
        yield from _chunks(content, 8, ">I4x", 12)
    elif content.startswith(b"RIFF"):
        yield from _chunks(content, 12, "<4xI", 8)
    elif content[4:8] in (b"ftyp", b"jP  "):
        yield from _chunks(content, 0, ">I4x", 0)
    else:
        yield from range(0, min(len(content), 64), 2)


def _markers(content: bytes) -> Iterator[int]:
    at = 2
    while at + 4 <= len(content):
        yield at
        (length,) = struct.unpack_from(">H", content, at + 2)
        is_scan = content[at + 1] == 0xDA
        at += 2 + length
        while is_scan and at + 1 < len(content):
            if content[at] == 0xFF and content[at + 1] not in (0, *range(0xD0, 0xD8)):
                break
            at += 1


def _chunks(content: bytes, at: int, size: str, around: int) -> Iterator[int]:
    while at + 8 <= len(content):
        yield at
        (length,) = struct.unpack_from(size, content, at)
        at += max(length + around + (length % 2 if size[0] == "<" else 0), 1)
