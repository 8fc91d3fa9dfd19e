"""Reduced decoding: which size, and where its pixels lie in the whole image."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiqa_cli.sources.decode import UnreadableImage, decode, decode_reduced
from sources.pictures import encoded

ORIENTATION = 0x0112


def scene(width: int, height: int) -> Image.Image:
    """Smooth, and different in each corner."""
    rows, columns = np.mgrid[0:height, 0:width]
    across, down = columns * 255 // width, rows * 255 // height
    pixels = np.stack([across, down, 255 - (across + down) // 2], axis=2)
    return Image.fromarray(pixels.astype(np.uint8))


def save(folder: Path, image: Image.Image, format: str = "JPEG", turn: int = 1) -> str:
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    path = folder / "image"
    path.write_bytes(encoded(image, format, exif=exif, **({"quality": 95} if turn else {})))
    return str(path)


@pytest.mark.parametrize(
    ("size", "at_least", "reduction"),
    [
        ((640, 480), 640, 1),
        ((1279, 400), 640, 1),
        ((1280, 400), 640, 2),
        ((400, 2560), 640, 4),
        ((5121, 640), 640, 8),
        ((20000, 64), 640, 8),
        ((2561, 3), 640, 2),
        ((2560, 1), 640, 1),
    ],
)
def test_a_jpeg_is_reduced_as_far_as_is_allowed(
    tmp_path: Path, size: tuple[int, int], at_least: int, reduction: int
) -> None:
    picture = decode_reduced(save(tmp_path, scene(*size)), at_least)
    assert (picture.width, picture.height) == size
    assert picture.reduction == reduction
    assert picture.pixels.shape == (-(-size[1] // reduction), -(-size[0] // reduction), 3)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("size", [(640, 320), (636, 322)])
def test_reduced_pixels_lie_on_those_of_the_whole(
    tmp_path: Path, turn: int, size: tuple[int, int]
) -> None:
    path = save(tmp_path, scene(*size), turn=turn)
    whole, picture = decode(path), decode_reduced(path, 79)
    assert (picture.height, picture.width) == whole.shape[:2]
    # An EXIF turn of an image that cannot be divided evenly moves the grid, so less is taken.
    assert picture.reduction == (8 if turn == 1 or size == (640, 320) else 2)
    k = picture.reduction
    height, width = whole.shape[0] // k, whole.shape[1] // k
    means = whole[: height * k, : width * k].reshape(height, k, width, k, 3).mean((1, 3))
    assert np.abs(means - picture.pixels[:height, :width]).max() < 4


def test_other_formats_come_whole(tmp_path: Path) -> None:
    image = scene(2560, 64)
    path = tmp_path / "a.png"
    image.save(path)
    picture = decode_reduced(str(path), 640)
    assert (picture.reduction, picture.width, picture.height) == (1, 2560, 64)
    np.testing.assert_array_equal(picture.pixels, np.asarray(image))


def test_a_truncated_file_is_no_less_unreadable_when_reduced(tmp_path: Path) -> None:
    path = Path(save(tmp_path, scene(2560, 640)))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UnreadableImage, match="truncated JPEG"):
        decode_reduced(str(path), 640)
