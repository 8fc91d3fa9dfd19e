"""Training canvases: mosaics of warped photos and negatives, of which the teacher is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.training.detector.degradation import degrade
from fiqa_cli.training.detector.labels import Faces, Floats
from fiqa_cli.training.detector.negatives import draw_negative
from fiqa_cli.training.detector.pasting import paste_face

Image = NDArray[np.uint8]

GRIDS = (0.8, 0.12, 0.05, 0.03)
"""Chances of a canvas of 1, 2, 3 or 4 cells a side."""
NEGATIVE = 1 / 8
"""Share of cells that show a picture without faces."""
ANYWHERE = 1 / 16
"""Share of cells that show a part of a photo wherever that falls."""
HARD = 0.4
"""Share of photos drawn from the hard ones alone."""
WHOLE = 0.85
"""Share of photos shown whole, as the detector will get them, whatever their faces' size."""
TILTED = 0.3
"""Share of cells that are turned a little."""
PASTED = 1.5
"""Mean number of faces that are pasted into a canvas."""
BENT = 0.3
"""Share of canvases that are stretched and sheared."""
BLENDED = 0.15
"""Share of canvases through which another one shows."""
DEGRADED = 0.35
"""Share of canvases that are degraded."""
DETAIL = 2.5
"""Most by which their resolution falls."""
CROP_BOX = np.array([0.08, 0.0, 0.92, 1.0], np.float32)
"""Where the face is in an aligned crop, in sides of it."""


@dataclass(frozen=True)
class Sources:
    """What canvases are made of: photos (BGR) with their faces, and pictures without any."""

    photos: Sequence[Image]
    faces: Sequence[Faces]
    negatives: Sequence[Image]
    crops: Sequence[Image] = ()
    """Aligned crops of other faces (BGR), to be pasted."""

    @cached_property
    def shown(self) -> NDArray[np.int64]:
        """Indices of the photos with faces."""
        return np.flatnonzero([len(faces) > 0 for faces in self.faces])

    @cached_property
    def hard(self) -> NDArray[np.int64]:
        """Indices of the photos with faces that are hard to find: turned, hidden, in a group."""
        return np.flatnonzero([is_hard(faces) for faces in self.faces])


def is_hard(faces: Faces) -> bool:
    """Whether a photo shows several sure faces, or one of which the teacher is less sure."""
    sure = faces.scores[faces.scores >= 0.5]
    return len(sure) > 1 or bool((sure < 0.72).any())


def fill_cell(
    canvas: Image, cell: tuple[int, int, int, int], sources: Sources, rng: np.random.Generator
) -> None:
    """Warp a random photo or negative into the cell (x, y, width, height) of `canvas`.

    A photo that is not shown whole is scaled so that one of its faces is 0.12 to 1 times the
    cell's shorter side. Angles of tilted ones have a standard deviation of 0.15.
    """
    import cv2

    x, y, width, height = cell
    side = min(width, height)
    draw = rng.random()
    if draw < NEGATIVE:
        photo, boxes = draw_negative(rng, sources.negatives), np.zeros((0, 4), np.float32)
    else:
        if len(sources.hard) and rng.random() < HARD:
            index = int(rng.choice(sources.hard))
        else:
            index = int(rng.integers(len(sources.photos)))
        photo, boxes = sources.photos[index], sources.faces[index].boxes
    middle = np.array([x + width / 2, y + height / 2])
    if draw >= NEGATIVE and rng.random() < WHOLE:
        anchor = np.array(photo.shape[1::-1]) / 2
        scale = side / max(photo.shape[:2]) * 2 ** rng.uniform(-0.6, 0.15)
        free = (np.array([width, height]) - 2 * anchor * scale) / 2
        target = middle + rng.uniform(-1, 1, 2) * np.abs(free)
    elif draw < NEGATIVE + ANYWHERE or not len(boxes):
        anchor = rng.uniform(0, 1, 2) * photo.shape[1::-1]
        scale = side / max(photo.shape[:2]) * 2 ** rng.uniform(-0.5, 2.5)
        target = middle
    else:
        box = boxes[int(rng.integers(len(boxes)))]
        anchor = (box[:2] + box[2:]) / 2
        size = float(np.sqrt(np.prod(box[2:] - box[:2])))
        wanted = side * 2 ** rng.uniform(-3.0, 0.0)
        # Enlarging more than four times shows no detail that training could use.
        scale = min(wanted / size, 4.0)
        free = np.maximum(np.array([width, height]) - 0.8 * size * scale, 0) / 2
        target = middle + rng.uniform(-1, 1, 2) * free
    if scale < 0.5 and rng.random() < 0.5:
        # Half of the small views are smooth, half aliased as by insightface's own resizing.
        shrink = 2 * scale
        photo = cv2.resize(photo, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        anchor, scale = anchor * shrink, 0.5
    angle = rng.normal(0, 0.15) if rng.random() < TILTED else 0.0
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    if rng.random() < 0.5:
        turn = turn @ np.diag([-1, 1])
    moved = target - (x, y) - turn @ anchor
    window = canvas[y : y + height, x : x + width]
    if rng.random() < 0.4:
        window[:] = cv2.resize(draw_negative(rng, sources.negatives), (width, height))
    else:
        # Black, as insightface pads a photo, or grey.
        window[:] = 0 if rng.random() < 0.7 else rng.integers(256)
    window[:] = cv2.warpAffine(
        photo,
        np.concatenate([turn, moved[:, None]], 1),
        (width, height),
        dst=np.ascontiguousarray(window),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )


def draw_face(sources: Sources, rng: np.random.Generator) -> tuple[Image, Floats]:
    """A random face: its photo, or in half of the cases the crop of it, and its box `[4]`."""
    if len(sources.crops) and rng.random() < 0.5:
        crop = sources.crops[int(rng.integers(len(sources.crops)))]
        return crop, CROP_BOX * len(crop)
    index = int(rng.choice(sources.shown))
    boxes = sources.faces[index].boxes
    return sources.photos[index], boxes[int(rng.integers(len(boxes)))]


def compose_canvas(sources: Sources, size: int, rng: np.random.Generator) -> Image:
    """Compose one training canvas `uint8 [size, size, 3]` BGR."""
    canvas = mosaic(sources, size, rng)
    if rng.random() < BLENDED:
        canvas = blend(canvas, mosaic(sources, size, rng), rng)
    if rng.random() < DEGRADED:
        canvas = degrade(canvas, rng, DETAIL)
    return canvas


def mosaic(sources: Sources, size: int, rng: np.random.Generator) -> Image:
    """Photos and negatives in a grid, with faces pasted over them, perhaps bent."""
    grid = 1 + int(rng.choice(len(GRIDS), p=GRIDS))
    inner = np.arange(1, grid) / grid
    xs, ys = (
        np.r_[0, (inner + rng.uniform(-0.15, 0.15, grid - 1) / grid) * size, size].astype(int)
        for _ in range(2)
    )
    canvas = np.empty((size, size, 3), np.uint8)
    for j in range(grid):
        for i in range(grid):
            cell = int(xs[i]), int(ys[j]), int(xs[i + 1] - xs[i]), int(ys[j + 1] - ys[j])
            fill_cell(canvas, cell, sources, rng)
    for _ in range(rng.poisson(PASTED)):
        paste_face(canvas, *draw_face(sources, rng), rng)
    return bend(canvas, rng) if rng.random() < BENT else canvas


def bend(canvas: Image, rng: np.random.Generator) -> Image:
    """Stretch the sides of a canvas by up to a third each and shear it, about its centre."""
    import cv2

    stretch = 2 ** rng.uniform(-0.4, 0.4, 2)
    matrix = np.diag(stretch) @ (np.eye(2) + rng.normal(0, 0.1, (2, 2)) * (1 - np.eye(2)))
    centre = np.full(2, len(canvas) / 2)
    offset = centre - matrix @ centre
    bent: Image = cv2.warpAffine(
        canvas, np.concatenate([matrix, offset[:, None]], 1), canvas.shape[1::-1]
    )
    return bent


def blend(canvas: Image, other: Image, rng: np.random.Generator) -> Image:
    """Let another canvas of the same size show through this one, by a tenth to a half."""
    import cv2

    share = rng.uniform(0.1, 0.5)
    mixed: Image = cv2.addWeighted(canvas, 1 - share, other, share, 0)
    return mixed
