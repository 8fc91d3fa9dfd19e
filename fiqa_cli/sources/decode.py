"""From an encoded image to upright 8-bit RGB pixels, through Pillow."""

import importlib
import logging
import os
import stat
import warnings
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from fiqa_cli.sources.formats import Format, sniff
from fiqa_cli.sources.picture import Picture
from fiqa_cli.sources.reasons import UnreadableImage, reason_of, reason_of_mode

__all__ = ["MAX_PIXELS", "UnreadableImage", "decode", "decode_reduced"]

MAX_PIXELS = 178_956_970
"""Larger images are refused before decoding: Pillow's own limit, 0.7 GB once decoded."""

_WHOLE_FILE = 1 << 24
"""Bytes up to which a file is read at once, which saves Pillow's many small reads."""

_ORIENTATION = 0x0112
"""The EXIF tag."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation; 1 and unknown values stay as they are."""

_SWAPPING = {
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
}
"""Those of them that make height of width."""

# A file either decodes or gets a reason: its oddities are no news for standard error.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())


def decode(image: str | bytes) -> NDArray[np.uint8]:
    """An image as `uint8 [height, width, 3]` RGB, upright; perhaps not writeable.

    `image` is the path of a file, or the bytes that such a file would have.

    The first frame of an animation, with EXIF orientation applied and transparency laid on white.
    Grey of more than 8 bits is scaled, not clipped: white is 65535, or the maximum if that is
    more; for floats the first of 1, 255 and 65535 that no pixel exceeds, else the maximum.

    Formats: those of `formats.sniff`, told by content and not by name. Only regular files are
    opened, so a named pipe cannot hang it.

    Raises `UnreadableImage` for everything else, whatever the bytes.
    """
    return decode_reduced(image, None).pixels


def decode_reduced(image: str | bytes, at_least: int | None) -> Picture:
    """What `decode` gives, with sides 2, 4 or 8 times shorter where the file allows that.

    A JPEG is, in a fraction of the time, as far as its longer side stays `at_least` so many pixels
    long; `None` and other formats give the whole image. One that EXIF turns is reduced only by
    what divides its sides: otherwise its pixels would not lie on those of the whole image.
    """
    if isinstance(image, bytes):
        if not image:
            raise UnreadableImage("empty file")
        return _decode(BytesIO(image), at_least)
    try:
        found = os.stat(image)  # noqa: PTH116 - Path("") would be the current directory
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableImage(reason_of_mode(found.st_mode))
        if found.st_size == 0:
            raise UnreadableImage("empty file")
        with Path(image).open("rb") as file:
            content = BytesIO(file.read()) if found.st_size <= _WHOLE_FILE else file
            return _decode(content, at_least)
    except OSError as error:
        raise UnreadableImage(reason_of(error, image)) from error
    except ValueError as error:  # a NUL byte or half a surrogate pair in the name
        raise UnreadableImage("not a valid path") from error


def _decode(file: BinaryIO, at_least: int | None) -> Picture:
    known = sniff(file.read(64))
    if known is None:
        raise UnreadableImage("not an image of a supported format")
    if known.name == "HEIC" and not _heic_registered():
        raise UnreadableImage("HEIC: pip install pillow-heif")
    if known.name == "AVIF" and not _avif_supported():
        raise UnreadableImage("AVIF: pip install --upgrade pillow")
    file.seek(0)
    # Pillow's readers raise almost anything on broken bytes: struct.error, SyntaxError, …
    try:
        image = Image.open(file, formats=(known.pillow,))
        if image.width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        width, height = image.size
        reduction = 1 if at_least is None else _reduce(image, at_least)
        image.load()
        turn = _turn(image)
        if turn in _SWAPPING:
            width, height = height, width
        upright = image if turn is None else image.transpose(turn)
        return Picture(_rgb(upright), width, height, reduction)
    except Exception as error:
        raise UnreadableImage(_failure(error, known)) from error


def _failure(error: Exception, known: Format) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"decompression bomb: more than {MAX_PIXELS} pixels"
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    if "truncated" in str(error).lower():
        return f"truncated {known.name}"
    return f"broken or truncated {known.name}"


def _reduce(image: Image.Image, at_least: int) -> int:
    """Have a JPEG decoded at a reduced size; returns how many times shorter its sides will be."""
    if not isinstance(image, JpegImageFile):
        return 1
    width, height = image.size
    turned = _turn(image) is not None
    for reduction in (8, 4, 2):
        if max(width, height) // reduction < at_least or min(width, height) < reduction:
            continue
        if turned and (width % reduction or height % reduction):
            continue
        image.draft(None, (width // reduction, height // reduction))
        return reduction
    return 1


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What sets the image upright, if it is not."""
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # the pixels are fine without their EXIF
        return None


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith(("I", "F")):
        return _grey(np.asarray(image))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        image = white
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _grey(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey of more than 8 bits, `[H, W]`, as `uint8 [H, W, 3]`; what is not finite is black."""
    whites = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (65535.0,)
    levels = np.nan_to_num(values.astype(np.float64), nan=0, posinf=0, neginf=0)
    peak = float(levels.max())
    white = next((white for white in whites if peak <= white), peak)
    grey = np.rint(np.clip(levels, 0, white) * (255 / white)).astype(np.uint8)
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


@cache
def _heic_registered() -> bool:
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


@cache
def _avif_supported() -> bool:
    try:
        from PIL import AvifImagePlugin
    except ImportError:  # Pillow before 11.3
        return False
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # images come side by side already
    return AvifImagePlugin.SUPPORTED
