"""Pictures for the tests of decoding, and how they are written and read back."""

import struct
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from fiqa_cli.sources.decode import UnreadableImage

HEIGHT, WIDTH = 24, 40
ROWS, COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH]
PICTURE = np.stack([ROWS * 10, COLUMNS * 6, 255 - ROWS * 4 - COLUMNS * 3], axis=2).astype(np.uint8)
"""Smooth, so that lossy formats keep it, and different in each of its eight positions."""


def encoded(picture: np.ndarray | Image.Image, format: str, **options: object) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    stream = BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


Read = Callable[[bytes], np.ndarray]


def reason(read: Read, content: bytes) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read(content)
    return str(caught.value)


LOSSLESS = [("PNG", {}), ("BMP", {}), ("PPM", {}), ("WEBP", {"lossless": True}), ("TIFF", {})]
LOSSLESS += [("TIFF", {"compression": name}) for name in ("tiff_lzw", "tiff_deflate", "packbits")]
LOSSLESS += [("JPEG2000", {"irreversible": False}), ("JPEG2000", {"no_jp2": True})]
LOSSY = [("JPEG", {"quality": 95}), ("JPEG", {"progressive": True}), ("WEBP", {}), ("AVIF", {})]
LOSSY += [("TIFF", {"compression": "jpeg"})]


DEEP = (ROWS * 2700 + COLUMNS * 7).astype(np.uint16)


def big_endian_tiff(values: np.ndarray) -> bytes:
    """An uncompressed 16-bit grey TIFF 6.0 in Motorola byte order."""
    tags = [(256, 4, values.shape[1]), (257, 4, values.shape[0]), (258, 3, 16), (259, 3, 1)]
    tags += [
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, values.shape[0]),
        (279, 4, values.size * 2),
    ]
    pack = {3: ">HHIHxx", 4: ">HHII"}
    directory = b"".join(struct.pack(pack[kind], tag, kind, 1, value) for tag, kind, value in tags)
    data = values.astype(">u2").tobytes()
    head = b"MM\0*" + struct.pack(">I", 8 + len(data)) + data
    return head + struct.pack(">H", len(tags)) + directory + b"\0\0\0\0"
