"""From an image file to prospects: rows that lack their quality only, with the crop to score."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fiqa_cli.faces.alignment import CROP_SIZE, align
from fiqa_cli.faces.choice import FaceChoice, choose
from fiqa_cli.faces.detector import Detector
from fiqa_cli.faces.face import LANDMARK_COLUMNS, Face
from fiqa_cli.measures.pose import pose
from fiqa_cli.pipeline.jitter import Jitter
from fiqa_cli.records.row import Row
from fiqa_cli.sources.decode import decode
from fiqa_cli.sources.entry import Entry, image_of
from fiqa_cli.sources.reasons import UnreadableImage

MIN_IMAGE_SIDE = 16
"""Pixels; no face in a smaller image has a quality worth the name."""


_NOT_FINITE = " is not finite; try --precision fp32"


@dataclass(slots=True)
class Prospect:
    """A row of the report and, if there is something to score, its crop."""

    row: Row
    crop: NDArray[np.uint8] | None = None
    """uint8 `[112, 112, 3]` RGB."""
    resized: bool = False
    """Whether an aligned crop came in another size than 112×112."""
    jittered: NDArray[np.uint8] | None = None
    """With jitter: further crops of the face, uint8 `[copies, 112, 112, 3]`."""


def photo_prospects(
    entry: Entry,
    detector: Detector,
    choice: FaceChoice = FaceChoice.ALL,
    min_face: int = 0,
    details: bool = False,
    jitter: Jitter | None = None,
) -> list[Prospect]:
    """Detect, choose and align the faces of a photo: one prospect each, or one without a crop.

    A face whose box is narrower than `min_face` pixels is reported as too small. Never raises for
    anything in the file: what goes wrong is in the row's status and error.
    """
    image = _read(entry)
    if isinstance(image, Row):
        return [Prospect(image)]
    try:
        faces = choose(detector.detect(image), choice)
    except Exception as error:
        return [Prospect(_row(entry, image, "failed", f"detection: {_line(error)}"))]
    if not faces:
        return [Prospect(_row(entry, image, "no-face"))]
    return [
        _face_prospect(entry, image, face, number, min_face, details, jitter)
        for number, face in enumerate(faces)
    ]


def crop_prospects(entry: Entry, jitter: Jitter | None = None) -> list[Prospect]:
    """Take an image as an aligned crop; resized to 112×112 if it has another size.

    Bilinear by Pillow, which averages when it shrinks, as the reference implementations do.
    """
    from PIL import Image

    image = _read(entry)
    if isinstance(image, Row):
        return [Prospect(image)]
    row = _row(entry, image)
    size = (CROP_SIZE, CROP_SIZE)
    resized = image.shape[:2] != size
    if resized:
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    return [Prospect(row, image, resized, jitter.of_crop(image) if jitter else None)]


def crops_of(prospects: Iterable[Prospect]) -> torch.Tensor:
    """The crops of prospects, at least one, as uint8 `[N, 3, 112, 112]`."""
    crops = [prospect.crop for prospect in prospects if prospect.crop is not None]
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)


def reject(row: Row, what: str) -> None:
    """Note that `what` came of the crop of `row` is not finite."""
    row.status = "failed"
    row.error = f"{what}{_NOT_FINITE}"


def was_in_batch(row: Row) -> bool:
    """Whether a row of a finished batch had a crop in it."""
    return row.status == "ok" or row.error.endswith(_NOT_FINITE)


def _read(entry: Entry) -> NDArray[np.uint8] | Row:
    if entry.reason:
        return Row(entry.path, status="unreadable", error=entry.reason)
    try:
        image = decode(image_of(entry))
    except UnreadableImage as error:
        return Row(entry.path, status="unreadable", error=str(error))
    height, width = image.shape[:2]
    if min(height, width) < MIN_IMAGE_SIDE:
        return _row(entry, image, "too-small", f"image of {width}x{height} pixels")
    return image


def _face_prospect(
    entry: Entry,
    image: NDArray[np.uint8],
    face: Face,
    number: int,
    min_face: int,
    details: bool,
    jitter: Jitter | None,
) -> Prospect:
    row = _row(entry, image)
    row.face = number
    row.det_score = face.score
    row.x1, row.y1, row.x2, row.y2 = map(float, face.box)
    row.inter_eye = face.inter_eye
    if details:
        row.details = dict(zip(LANDMARK_COLUMNS, face.landmarks.ravel().tolist(), strict=True))
        row.details |= pose(face.landmarks)._asdict()
    if face.side < min_face:
        row.status = "too-small"
        row.error = f"face of {face.side:.0f} pixels"
        return Prospect(row)
    try:
        crop = align(image, face.landmarks)
    except ValueError as error:
        row.status = "failed"
        row.error = f"alignment: {error}"
        return Prospect(row)
    jittered = jitter.of_photo(image, face.landmarks, crop) if jitter else None
    return Prospect(row, crop, jittered=jittered)


def _row(entry: Entry, image: NDArray[np.uint8], status: str = "ok", error: str = "") -> Row:
    height, width = image.shape[:2]
    return Row(entry.path, status=status, width=width, height=height, error=error)


def _line(error: Exception) -> str:
    """The first line of what a library says went wrong."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
