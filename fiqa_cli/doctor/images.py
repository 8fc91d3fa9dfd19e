"""The image formats that can be read here: tried, not looked up."""

from collections.abc import Iterator
from io import BytesIO

from fiqa_cli.doctor.finding import Finding, first_line
from fiqa_cli.sources.decode import decode
from fiqa_cli.sources.reasons import UnreadableImage

SECTION = "images"
FORMATS = {
    "JPEG": "JPEG",
    "PNG": "PNG",
    "WebP": "WEBP",
    "GIF": "GIF",
    "BMP": "BMP",
    "TIFF": "TIFF",
    "JPEG 2000": "JPEG2000",
    "Netpbm": "PPM",
    "AVIF": "AVIF",
    "HEIC": "HEIF",
}
"""Name, and Pillow's writer."""
_OPTIONAL = {"AVIF", "HEIC", "JPEG 2000", "WebP"}
"""Pillow may be built without them."""
_REMEDY = "python -m pip install --force-reinstall pillow"
_HEIC_HEAD = b"\0\0\0\x18ftypheic\0\0\0\0heic"


def images() -> Iterator[Finding]:
    """Each format, after one small picture of it was written and read."""
    from PIL import Image

    picture = Image.new("RGB", (64, 64), (200, 120, 40))
    # Reading what begins like it registers the plugin, if there is one, for the writer as well.
    heic = _reason(_HEIC_HEAD)
    for name, writer in FORMATS.items():
        written = BytesIO()
        try:
            picture.save(written, writer)
            reason = _reason(written.getvalue())
        # Pillow raises KeyError, OSError and others where it lacks a codec.
        except Exception as error:
            reason = heic if name == "HEIC" else first_line(error)
        if reason:
            remedy = "" if name in _OPTIONAL else _REMEDY
            value = f"cannot be read: {reason.removeprefix(f'{name}: ')}"
            yield Finding(SECTION, name, value, remedy)
        else:
            yield Finding(SECTION, name, "yes")


def _reason(encoded: bytes) -> str:
    """Why an image cannot be read; empty if it can."""
    try:
        decode(encoded)
    except UnreadableImage as error:
        return str(error)
    return ""
