"""From an image file to prospects: rows that lack their quality only, with the crop to score."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fiqa_cli.faces.alignment import CROP_SIZE
from fiqa_cli.faces.choice import FaceChoice, choose
from fiqa_cli.faces.detector import Detector
from fiqa_cli.faces.face import LANDMARK_COLUMNS, Face
from fiqa_cli.measures.pose import pose
from fiqa_cli.pipeline.jitter import Jitter
from fiqa_cli.pipeline.photo import Photo
from fiqa_cli.records.row import Row
from fiqa_cli.sources.decode import decode_reduced
from fiqa_cli.sources.entry import Entry, image_of
from fiqa_cli.sources.picture import Picture
from fiqa_cli.sources.reasons import UnreadableImage

MIN_IMAGE_SIDE = 16
"""Pixels; no face in a smaller image has a quality worth the name."""

MARGIN = 2
"""Times the detector's size that the longer side of a reduced photo keeps. Halving a JPEG saves
nearly all that can be saved, and the more pixels stay, the fewer faces need the whole photo."""

Decode = Callable[[str | bytes, int | None], Picture]
"""See `decode.decode_reduced`."""

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
    decode: Decode = decode_reduced,
) -> list[Prospect]:
    """Detect, choose and align the faces of a photo: one prospect each, or one without a crop.

    A face whose box is narrower than `min_face` pixels is reported as too small. Never raises for
    anything in the file: what goes wrong is in the row's status and error.
    """
    read = _read(entry, MARGIN * detector.size, decode)
    if isinstance(read, Row):
        return [Prospect(read)]
    image, picture = read
    try:
        found = detector.detect(picture.pixels)
    except Exception as error:
        return [Prospect(_row(entry, picture, "failed", f"detection: {_line(error)}"))]
    faces = choose([face.scaled(picture.reduction) for face in found], choice)
    if not faces:
        return [Prospect(_row(entry, picture, "no-face"))]
    photo = Photo(picture, whole=lambda: decode(image, None).pixels)
    return [
        _face_prospect(_row(entry, picture), photo, face, number, min_face, details, jitter)
        for number, face in enumerate(faces)
    ]


def crop_prospects(
    entry: Entry, jitter: Jitter | None = None, decode: Decode = decode_reduced
) -> list[Prospect]:
    """Take an image as an aligned crop; resized to 112×112 if it has another size.

    Bilinear by Pillow, which averages when it shrinks, as the reference implementations do.
    """
    from PIL import Image

    read = _read(entry, None, decode)
    if isinstance(read, Row):
        return [Prospect(read)]
    _, picture = read
    row, image = _row(entry, picture), picture.pixels
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


def _read(entry: Entry, at_least: int | None, decode: Decode) -> tuple[str | bytes, Picture] | Row:
    """What can be decoded and what `decode` makes of it, or a row that says why not."""
    if entry.reason:
        return Row(entry.path, status="unreadable", error=entry.reason)
    try:
        image = image_of(entry)
        picture = decode(image, at_least)
    except UnreadableImage as error:
        return Row(entry.path, status="unreadable", error=str(error))
    if min(picture.height, picture.width) < MIN_IMAGE_SIDE:
        size = f"{picture.width}x{picture.height}"
        return _row(entry, picture, "too-small", f"image of {size} pixels")
    return image, picture


def _face_prospect(
    row: Row,
    photo: Photo,
    face: Face,
    number: int,
    min_face: int,
    details: bool,
    jitter: Jitter | None,
) -> Prospect:
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
        crop = photo.crop(face.landmarks)
        jittered = jitter.of_photo(photo.crop, face.landmarks, crop) if jitter else None
    except (ValueError, UnreadableImage) as error:
        row.status = "failed"
        row.error = f"alignment: {error}"
        return Prospect(row)
    return Prospect(row, crop, jittered=jittered)


def _row(entry: Entry, picture: Picture, status: str = "ok", error: str = "") -> Row:
    return Row(entry.path, status=status, width=picture.width, height=picture.height, error=error)


def _line(error: Exception) -> str:
    """The first line of what a library says went wrong."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
