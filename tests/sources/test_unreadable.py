"""Every kind of file that gives no pixels: a reason, never a crash or a hang."""

import os
import random
import socket
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from fiqa_cli.sources import decode as module
from fiqa_cli.sources.decode import MAX_PIXELS, UnreadableImage, decode
from sources.pictures import DEEP, LOSSLESS, LOSSY, PICTURE, Read, big_endian_tiff, encoded, reason


def png(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("limit", [None, 10**12])
def test_decompression_bomb(read: Read, monkeypatch: pytest.MonkeyPatch, limit: int | None) -> None:
    # Whatever the program around us has set for Pillow.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    expected = f"decompression bomb: more than {MAX_PIXELS} pixels"
    assert reason(read, png(50_000, 50_000)) == expected
    monkeypatch.undo()
    assert reason(read, png(50_000, 50_000)) == expected


def test_bad_content(read: Read) -> None:
    assert reason(read, b"") == "empty file"
    assert reason(read, b"Not a photo at all.\n") == "not an image of a supported format"
    assert reason(read, b"%!PS-Adobe-3.0 EPSF-3.0\n") == "not an image of a supported format"
    assert reason(read, b"8BPS\0\1" + bytes(20)) == "not an image of a supported format"
    jpeg = encoded(PICTURE, "JPEG")
    assert reason(read, jpeg[: len(jpeg) * 2 // 3]) == "truncated JPEG"
    assert reason(read, jpeg[:30]) == "truncated JPEG"
    assert reason(read, jpeg[:4] + bytes(30)) == "broken or truncated JPEG"


@pytest.mark.parametrize(
    "error", [MemoryError(), RecursionError("deep"), ZeroDivisionError("x\ny")]
)
def test_whatever_pillow_raises(
    read: Read, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Image, "open", fail)
    expected = "not enough memory" if isinstance(error, MemoryError) else "broken or truncated PNG"
    assert reason(read, encoded(PICTURE, "PNG")) == expected


EVERY_KIND = [encoded(PICTURE, format, **options) for format, options in LOSSLESS + LOSSY]
EVERY_KIND += [encoded(DEEP, "PNG"), encoded(Image.fromarray(PICTURE).quantize(8), "GIF")]
EVERY_KIND += [encoded(PICTURE, "PNG", save_all=True, append_images=[Image.new("RGB", (9, 9))])]


def pixels_or_reason(content: bytes) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")  # as on import; pytest lifts it
        try:
            pixels = module._decode(BytesIO(content), None).pixels
        except UnreadableImage as error:
            assert 0 < len(str(error)) < 80
            assert "\n" not in str(error)
        else:
            assert pixels.dtype == np.uint8
            assert pixels.ndim == 3
            assert pixels.shape[2] == 3


@given(st.sampled_from(EVERY_KIND), st.floats(0, 1))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_truncated_anywhere(content: bytes, part: float) -> None:
    pixels_or_reason(content[: int(len(content) * part)])


@given(st.sampled_from(EVERY_KIND), st.integers(0, 2**32), st.integers(1, 12))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_broken_anywhere(content: bytes, seed: int, count: int) -> None:
    dice = random.Random(seed)
    broken = bytearray(content)
    for _ in range(count):
        broken[dice.randrange(dice.choice([len(broken), 40]))] = dice.randrange(256)
    pixels_or_reason(bytes(broken))


MAGIC = [
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0+",
    b"P6\n",
    b"Pf\n",
]
MAGIC += [b"RIFF\0\0\0\0WEBP", b"\0\0\0\x1cftypavif", b"\xff\x4f\xff\x51", b"P", b""]


@given(st.sampled_from(MAGIC), st.binary(max_size=300))
@example(b"P3\n", b"1 1\n255\n1 2 x")
@settings(max_examples=200, deadline=None)
def test_junk_behind_a_magic_number(magic: bytes, junk: bytes) -> None:
    pixels_or_reason(magic + junk)


def why_not(path: str) -> str:
    with pytest.raises(UnreadableImage) as caught:
        decode(path)
    return str(caught.value)


def test_paths_without_an_image(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "broken").symlink_to("nowhere")
    assert why_not(f"{tmp_path}/none.jpg") == "no such file or directory"
    assert why_not(str(tmp_path)) == "is a directory"
    assert why_not(f"{tmp_path}/loop") == "too many levels of symbolic links"
    assert why_not(f"{tmp_path}/broken") == "broken symbolic link"
    assert why_not(f"{tmp_path}/{'x' * 300}") == "file name too long"
    assert why_not("") == "no such file or directory"
    assert why_not("a\0b") == "not a valid path"
    assert why_not("\ud800") == "not a valid path"
    assert why_not("/dev/zero") == "is a device"


def test_pipes_and_sockets_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    reasons: list[str] = []
    reader = threading.Thread(
        target=lambda: reasons.append(why_not(f"{tmp_path}/pipe.jpg")), daemon=True
    )
    reader.start()
    reader.join(5)
    assert reasons == ["is a named pipe"]
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(f"{tmp_path}/plug.jpg")
        assert why_not(f"{tmp_path}/plug.jpg") == "is a socket"


def test_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked.jpg").write_bytes(encoded(PICTURE, "JPEG"))

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "locked.jpg")

    monkeypatch.setattr(Path, "open", refuse)
    assert why_not(f"{tmp_path}/locked.jpg") == "permission denied"


@pytest.mark.parametrize("name", [b"-rf", b"a b", b"line\nbreak", b"\xff\xfe.jpg", b"@x"])
def test_odd_names(tmp_path: Path, name: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = os.fsdecode(name)
    Path(path).write_bytes(encoded(PICTURE, "PNG"))
    assert np.array_equal(decode(path), PICTURE)


def test_pillow_says_nothing_on_stderr(tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(png(10_000, 10_000))  # above Pillow's warning, below its error
    tiff = bytearray(big_endian_tiff(DEEP))
    tiff[-20] = 0xFF  # a tag's data beyond the end of the file
    (tmp_path / "odd.tif").write_bytes(tiff)
    code = (
        "import sys; from fiqa_cli.sources.decode import *\n"
        "for path in sys.argv[1:]:\n"
        "    try: decode(path)\n"
        "    except UnreadableImage as error: print(error)"
    )
    run = [sys.executable, "-W", "default", "-c", code, str(large), f"{tmp_path}/odd.tif"]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.startswith("truncated PNG\n")
