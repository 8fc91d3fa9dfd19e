"""The image formats that are read, told by their first bytes."""

from dataclasses import dataclass

EXTENSIONS = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".avif", ".gif", ".bmp",
    ".heic", ".heif", ".hif", ".tif", ".tiff", ".jp2", ".jpx", ".j2k", ".ppm", ".pgm", ".pbm",
    ".pnm", ".pfm",
}  # fmt: skip
"""What marks an image inside a folder, in any case. A file given by name may be called anything."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name for people, and the name of Pillow's reader for it."""

    name: str
    pillow: str


AVIF = Format("AVIF", "AVIF")
HEIC = Format("HEIC", "HEIF")
JPEG_2000 = Format("JPEG 2000", "JPEG2000")
NETPBM = Format("Netpbm", "PPM")
TIFF = Format("TIFF", "TIFF")

_STARTS = (
    (b"\xff\xd8\xff", Format("JPEG", "JPEG")),
    (b"\x89PNG\r\n\x1a\n", Format("PNG", "PNG")),
    (b"GIF87a", Format("GIF", "GIF")),
    (b"GIF89a", Format("GIF", "GIF")),
    (b"BM", Format("BMP", "BMP")),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG_2000),
    (b"\xff\x4f\xff\x51", JPEG_2000),
)

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_EITHER_BRANDS = {b"mif1", b"msf1"}


def sniff(head: bytes) -> Format | None:
    """The format of a file that begins with `head` (64 bytes are enough), if it is one of ours.

    The list is short on purpose: Pillow reads many more formats that photos do not come in, and
    each is one more way in for a crafted file; its EPS reader even runs Ghostscript.
    """
    for start, known in _STARTS:
        if head.startswith(start):
            return known
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Format("WebP", "WEBP")
    if head[:1] == b"P" and head[1:2] in b"1234567fF" and head[2:3].isspace():
        return NETPBM
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    return None


def _of_brands(head: bytes) -> Format | None:
    # ISO/IEC 14496-12: the major brand, its version, then the compatible brands.
    size = int.from_bytes(head[:4])
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(size, len(head)), 4))]
    if brands[0] in _HEIC_BRANDS:
        return HEIC
    if b"avif" in brands or b"avis" in brands:
        return AVIF
    return HEIC if brands[0] in _EITHER_BRANDS else None
