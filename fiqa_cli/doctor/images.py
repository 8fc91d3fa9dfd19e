"""The image formats that can be read here: tried, not looked up."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from fiqa_cli.doctor.finding import Finding, first_line
from fiqa_cli.sources.decode import UnreadableImage, decode

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
_HEIC_HEAD = b"\0\0\0\x18ftypheic\0\0\0\0heic"


def images() -> Iterator[Finding]:
    """Each format, after one small picture of it was written and read."""
    from PIL import Image

    picture = Image.new("RGB", (64, 64), (200, 120, 40))
    with tempfile.TemporaryDirectory() as folder:
        for name, writer in FORMATS.items():
            path = Path(folder, "picture")
            try:
                if name == "HEIC":
                    # Reading anything that looks like it registers the plugin, if there is one.
                    path.write_bytes(_HEIC_HEAD)
                    _reason(path)
                picture.save(path, writer)
                reason = _reason(path)
            # No writer for it, which says nothing of the reader except for these.
            except Exception as error:
                reason = _reason(path) if name == "HEIC" else first_line(error)
            needed = "" if name in _OPTIONAL else "python -m pip install --force-reinstall pillow"
            if reason:
                yield Finding(SECTION, name, f"cannot be read: {reason}", needed)
            else:
                yield Finding(SECTION, name, "yes")


def _reason(path: Path) -> str:
    """Why `path` cannot be read; empty if it can."""
    try:
        decode(str(path))
    except UnreadableImage as error:
        return str(error)
    return ""
