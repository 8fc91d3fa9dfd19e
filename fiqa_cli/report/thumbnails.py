"""Thumbnails: the faces of rows, cut out of their images."""

import base64
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiqa_cli.errors import FiqaError
from fiqa_cli.faces.alignment import align
from fiqa_cli.faces.face import LANDMARK_COLUMNS
from fiqa_cli.records.row import Row
from fiqa_cli.sources.decode import decode
from fiqa_cli.sources.entry import image_of
from fiqa_cli.sources.member import find
from fiqa_cli.sources.network import is_url
from fiqa_cli.sources.reasons import UnreadableImage

SIDE = 160
"""Pixels of a thumbnail's longer side; smaller faces keep their size."""

SMALL_SIDE = 72

MARGIN = 0.25
"""Of a box's longer side, on each side: foreheads and chins belong to a face."""

QUALITY = 75
"""Of WebP, up to 100."""


Key = tuple[int, int]
"""The number of a row, and the pixels of the longer side of its thumbnail."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture for a page, or why there is none."""

    uri: str
    """`data:image/webp;base64,…`, or empty."""
    reason: str = ""


def thumbnails(
    rows: Mapping[int, Row], wanted: Iterable[Key], workers: int | None = None
) -> Iterator[tuple[Key, Thumbnail]]:
    """The wanted thumbnails of rows, image by image, in order; each image is read once.

    The network is not asked for anything: what lies behind a URL has no thumbnail.
    """
    by_path: dict[str, list[Key]] = {}
    # In the order of the report, in which containers and videos are read fastest.
    for key in sorted(wanted):
        by_path.setdefault(rows[key[0]].path, []).append(key)

    def of_image(keys: list[Key]) -> list[tuple[Key, Thumbnail]]:
        try:
            image = _read(rows[keys[0][0]].path)
        except (UnreadableImage, FiqaError) as error:
            return [(key, Thumbnail("", str(error))) for key in keys]
        return [(key, _thumbnail(image, rows[key[0]], key[1])) for key in keys]

    with ThreadPoolExecutor(workers or os.cpu_count(), "thumbnail") as pool:
        for found in pool.map(of_image, by_path.values()):
            yield from found


def _read(path: str) -> NDArray[np.uint8]:
    if is_url(path):
        raise UnreadableImage("it is behind a URL")
    return decode(image_of(find(path)))


def _thumbnail(image: NDArray[np.uint8], row: Row, side: int) -> Thumbnail:
    if (row.width or image.shape[1], row.height or image.shape[0]) != image.shape[1::-1]:
        return Thumbnail("", "the image has changed since it was scored")
    face = Image.fromarray(face_of(image, row))
    face.thumbnail((side, side), Image.Resampling.LANCZOS)
    stream = BytesIO()
    face.save(stream, "WEBP", quality=QUALITY)
    return Thumbnail(f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}")


def face_of(image: NDArray[np.uint8], row: Row) -> NDArray[np.uint8]:
    """The face of a row in its upright image, uint8 `[H, W, 3]`.

    Aligned where the row has landmarks, else the square around its box, moved and shrunk to lie
    within the image; without a box the whole image, which is a crop then.
    """
    landmarks = [row.details.get(name) for name in LANDMARK_COLUMNS]
    if all(value is not None for value in landmarks):
        try:
            return align(image, np.array(landmarks, np.float64).reshape(5, 2))
        except ValueError:  # landmarks that no face has
            pass
    box = row.box
    if box is None or not all(map(math.isfinite, box)):
        return image
    x1, y1, x2, y2 = box
    height, width = image.shape[:2]
    longer = max(x2 - x1, y2 - y1, 1.0) * (1 + 2 * MARGIN)
    side = round(min(longer, width, height))
    left = round(min(max((x1 + x2 - side) / 2, 0), width - side))
    top = round(min(max((y1 + y2 - side) / 2, 0), height - side))
    return image[top : top + side, left : left + side]
