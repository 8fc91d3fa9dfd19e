"""Files that are two things at once, something else than they are called, or nothing at all."""

import gzip
import tarfile
import zipfile
from collections.abc import Iterator
from io import BytesIO

from hostile.seeds import seeds

HTML = b"<html><script>alert(1)</script></html>\n"


def zipped(name: str, content: bytes, times: int = 1) -> bytes:
    """A ZIP in a ZIP, as many `times`."""
    for _ in range(times):
        stream = BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        name, content = "nested.zip", stream.getvalue()
    return content


def tarred(content: bytes) -> bytes:
    stream = BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo("inside.jpg")
        member.size = len(content)
        archive.addfile(member, BytesIO(content))
    return stream.getvalue()


def polyglots() -> Iterator[tuple[str, bytes]]:
    files = {name: content for name, (_, content) in seeds().items()}
    jpeg = files["jpeg"]
    others = {
        "zip": zipped("a.jpg", jpeg),
        "zip-in-zip": zipped("a.jpg", bytes(5_000_000), times=5),
        "tar": tarred(jpeg),
        "tar-in-gzip": gzip.compress(tarred(tarred(jpeg)), mtime=0),
        "html": HTML,
    }
    for name, content in files.items():
        for other, rest in others.items():
            yield f"{name}-then-{other}.{seeds()[name][0]}", content + rest
            yield f"{other}-then-{name}.{seeds()[name][0]}", rest + content
        for claimed in ("jpg", "png", "gif", "tif", "webp", "avif", "bmp", "jp2", "ppm"):
            yield f"{name}-called.{claimed}", content
    for name, content in others.items():
        yield f"{name}-called.jpg", content


def strangers() -> Iterator[tuple[str, bytes]]:
    starts = {
        "elf": b"\x7fELF\x02\x01\x01", "pdf": b"%PDF-1.7\n", "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n",
        "psd": b"8BPS\0\1", "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "script": b"#!/bin/sh\n",
        "ico": b"\0\0\1\0\1\0", "wmf": b"\xd7\xcd\xc6\x9a", "pickle": b"\x80\x04cos\nsystem\n",
        "xbm": b"#define a_width 9\n", "dds": b"DDS |\0\0\0", "fits": b"SIMPLE  =",
        "icns": b"icns\0\0\0\x10",
        "mp4": b"\0\0\0\x18ftypmp42", "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "qoi": b"qoif",
        "numpy": b"\x93NUMPY\1\0", "sgi": b"\x01\xda\1\1", "tga": b"\0\0\2" + bytes(9),
        "zeros": bytes(9),
        "jxl": b"\xff\x0a", "flif": b"FLIF", "hdf5": b"\x89HDF\r\n\x1a\n", "nothing": b"",
        "one": b"\xff",
    }  # fmt: skip
    for name, start in starts.items():
        yield f"{name}.jpg", start
        if start:
            yield f"{name}-long.png", start + bytes(range(256)) * 20
