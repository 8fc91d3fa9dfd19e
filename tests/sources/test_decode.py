"""Every kind of image that is read, down to its pixels."""

import importlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from fiqa_cli.sources import decode as module
from sources.pictures import (
    COLUMNS,
    DEEP,
    LOSSLESS,
    LOSSY,
    PICTURE,
    Read,
    big_endian_tiff,
    encoded,
    reason,
)


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
