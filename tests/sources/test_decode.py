import importlib
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from fiqa_cli.sources import decode as module
from fiqa_cli.sources.decode import MAX_PIXELS, UnreadableImage, decode

HEIGHT, WIDTH = 24, 40
ROWS, COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH]
PICTURE = np.stack([ROWS * 10, COLUMNS * 6, 255 - ROWS * 4 - COLUMNS * 3], axis=2).astype(np.uint8)
"""Smooth, so that lossy formats keep it, and different in each of its eight positions."""


def encoded(picture: np.ndarray | Image.Image, format: str, **options: object) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    stream = BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], np.ndarray]:
    def read(content: bytes) -> np.ndarray:
        path = tmp_path / "no extension"
        path.write_bytes(content)
        pixels = decode(str(path))
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
        return pixels

    return read


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


@pytest.mark.parametrize(("format", "options"), LOSSLESS)
def test_lossless_formats_are_exact(read: Read, format: str, options: dict[str, object]) -> None:
    assert np.array_equal(read(encoded(PICTURE, format, **options)), PICTURE)


@pytest.mark.parametrize(("format", "options"), LOSSY)
def test_lossy_formats_are_close(read: Read, format: str, options: dict[str, object]) -> None:
    error = np.abs(read(encoded(PICTURE, format, **options)).astype(int) - PICTURE)
    assert error.mean() < 4


# By the definition of EXIF 2.3: where the stored row 0 and column 0 belong in the upright picture.
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],  # row 0 is the top, column 0 the right-hand side
    3: lambda upright: upright[::-1, ::-1],  # bottom, right
    4: lambda upright: upright[::-1],  # bottom, left
    5: lambda upright: upright.transpose(1, 0, 2),  # left side, top
    6: lambda upright: upright[:, ::-1].transpose(1, 0, 2),  # right side, top
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),  # right side, bottom
    8: lambda upright: upright[::-1].transpose(1, 0, 2),  # left side, bottom
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_undone(read: Read, format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED[orientation](PICTURE))
    options = {"lossless": True} if format == "WEBP" else {}
    assert np.array_equal(read(encoded(stored, format, exif=exif, **options)), PICTURE)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("format", ["JPEG", "AVIF"])
def test_exif_orientation_of_lossy_formats(read: Read, format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED[orientation](PICTURE))
    upright = read(encoded(stored, format, exif=exif))
    assert upright.shape == PICTURE.shape
    assert np.abs(upright.astype(int) - PICTURE).mean() < 4


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\0\xff", b"Exif\0\0II junk"]
)
def test_broken_exif_costs_nothing(read: Read, exif: bytes) -> None:
    assert np.array_equal(read(encoded(PICTURE, "PNG", exif=exif)), PICTURE)


def test_orientation_beyond_the_standard_is_ignored(read: Read) -> None:
    exif = Image.Exif()
    exif[0x0112] = 9
    assert np.array_equal(read(encoded(PICTURE, "PNG", exif=exif)), PICTURE)


GREY = PICTURE[:, :, 0]


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "GIF", "PPM"])
def test_grey(read: Read, format: str) -> None:
    assert np.array_equal(read(encoded(GREY, format)), np.stack([GREY] * 3, axis=2))


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "GIF", "PPM"])
def test_one_bit(read: Read, format: str) -> None:
    bits = GREY > 100
    white = np.where(bits, 255, 0)
    assert np.array_equal(read(encoded(bits, format)), np.stack([white] * 3, axis=2))


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "GIF"])
def test_palette(read: Read, format: str) -> None:
    image = Image.fromarray(PICTURE).quantize(16)
    expected = np.asarray(image.getpalette()).reshape(-1, 3)[np.asarray(image)]
    assert np.array_equal(read(encoded(image, format)), expected)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "JPEG2000"])
def test_transparency_is_laid_on_white(read: Read, format: str) -> None:
    alpha = (COLUMNS * 6).astype(np.uint8)
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    pixels = read(encoded(np.dstack([PICTURE, alpha]), format, **options))
    weight = alpha[:, :, np.newaxis] / 255
    assert np.abs(pixels - (PICTURE * weight + 255 * (1 - weight))).max() <= 1


def test_transparent_grey_palette_and_colour_key(read: Read) -> None:
    grey = encoded(np.dstack([GREY, np.zeros_like(GREY)]), "PNG")
    assert (read(grey) == 255).all()
    image = Image.fromarray((COLUMNS % 3).astype(np.uint8), "P")
    image.putpalette([9, 9, 9, 200, 0, 0, 0, 0, 200])
    one_clear = read(encoded(image, "PNG", transparency=1))
    assert one_clear[0, :3].tolist() == [[9, 9, 9], [255, 255, 255], [0, 0, 200]]
    key = encoded(PICTURE, "PNG", transparency=tuple(PICTURE[3, 4].tolist()))
    expected = PICTURE.copy()
    expected[3, 4] = 255
    assert np.array_equal(read(key), expected)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk(read: Read, format: str) -> None:
    image = Image.fromarray(PICTURE).convert("CMYK")
    assert np.abs(read(encoded(image, format)).astype(int) - PICTURE).mean() < 4


def test_inverted_cmyk_of_adobe(read: Read) -> None:
    # Adobe's programs store CMYK in JPEG inverted and say so with an APP14 marker, as Pillow does.
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    content = encoded(cyan, "JPEG")
    assert b"Adobe" in content
    assert np.abs(read(content).astype(int) - (0, 255, 255)).max() <= 2


def test_ycbcr(read: Read) -> None:
    image = Image.fromarray(PICTURE).convert("YCbCr")
    assert np.abs(read(encoded(image, "TIFF")).astype(int) - PICTURE).max() <= 3


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


@pytest.mark.parametrize(
    "content",
    [
        encoded(DEEP, "PNG"),
        encoded(DEEP, "TIFF"),
        encoded(DEEP, "PPM"),
        encoded(DEEP.astype(np.int32), "TIFF"),
        big_endian_tiff(DEEP),
    ],
    ids=["png", "tiff", "pgm", "tiff 32", "tiff big-endian"],
)
def test_16_bit_grey_keeps_its_range(read: Read, content: bytes) -> None:
    expected = np.round(DEEP / 257)
    assert np.array_equal(read(content), np.stack([expected] * 3, axis=2))


def test_16_bit_extremes(read: Read) -> None:
    values = np.array([[0, 128, 129, 65535]], np.uint16)
    assert read(encoded(values, "PNG"))[0, :, 0].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize(
    ("values", "grey"),
    [
        ([0, 0.5, 1], [0, 128, 255]),
        ([0, 1.2, 200], [0, 1, 200]),
        ([0, 257, 65535], [0, 1, 255]),
        ([-5, 50_000, 100_000], [0, 128, 255]),
        ([np.nan, np.inf, 1], [0, 0, 255]),
        ([-3, -2, -1], [0, 0, 0]),
    ],
)
def test_float_grey(read: Read, values: list[float], grey: list[int]) -> None:
    content = encoded(np.array([values], np.float32), "TIFF")
    assert read(content)[0].tolist() == [[level] * 3 for level in grey]


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF", "MPO", "AVIF"])
def test_first_frame(read: Read, format: str) -> None:
    frames = [Image.new("RGB", (32, 16), colour) for colour in ("#ff0000", "#00ff00", "#0000ff")]
    content = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    assert np.abs(read(content).astype(int) - (255, 0, 0)).max() <= 3


def test_one_pixel(read: Read) -> None:
    assert read(encoded(PICTURE[:1, :1], "PNG")).shape == (1, 1, 3)


def test_file_too_large_to_read_at_once(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WHOLE_FILE", 10)
    assert np.array_equal(read(encoded(PICTURE, "PNG")), PICTURE)


ISO_HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)
ISO_AVIF = b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf" + bytes(40)


def without(name: str) -> Callable[..., object]:
    def importing(wanted: str, *args: object) -> object:
        if wanted == name:
            raise ImportError(name)
        return real(wanted, *args)  # type: ignore[arg-type]

    real = importlib.import_module
    return importing


def test_heic_names_what_to_install(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    module._heic_registered.cache_clear()
    monkeypatch.setattr(importlib, "import_module", without("pillow_heif"))
    assert reason(read, ISO_HEIC) == "HEIC: pip install pillow-heif"
    module._heic_registered.cache_clear()


def test_heic_is_read_by_the_installed_plugin(read: Read) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(STORED[6](PICTURE).copy(), "HEIF", exif=exif.tobytes(), quality=95)
    assert np.abs(read(content).astype(int) - PICTURE).mean() < 4
    assert reason(read, content[:300]) == "broken or truncated HEIC"


def test_avif_in_an_old_pillow(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_avif_supported", lambda: False)
    assert reason(read, ISO_AVIF) == "AVIF: pip install --upgrade pillow"


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
            pixels = module._decode(BytesIO(content))
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
