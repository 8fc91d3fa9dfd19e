"""Training canvases: mosaics of warped photos and negatives, with the faces in them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.training.detector.degradation import degrade
from fiqa_cli.training.detector.labels import Faces, Floats, mirror
from fiqa_cli.training.detector.negatives import draw_negative
from fiqa_cli.training.detector.pasting import paste_face

Image = NDArray[np.uint8]

GRIDS = (1, 2, 3, 4)
CROP_BOX = np.array([0.08, 0.0, 0.92, 1.0], np.float32)
"""Where the face is in an aligned crop, in sides of it."""
LEAST_FACE = 8.0
"""Side in effective pixels below which a face is neither demanded nor punished."""


@dataclass(frozen=True)
class Style:
    """How far canvases are from the photos that the detector will meet."""

    grids: tuple[float, float, float, float]
    """Chances of a canvas of 1, 2, 3 or 4 cells a side."""
    tilted: float
    """Share of cells that are turned a little."""
    clean: float
    """Share of canvases that are not degraded."""
    hard: float
    """Share of photos drawn from the hard ones alone."""
    whole: float = 0.0
    """Share of photos shown whole, as the detector will get them, whatever their faces' size."""
    sizes: tuple[float, float, float] = (0.7, 0.15, 0.15)
    """Chances of small, middle and large canvases."""
    pasted: float = 0.0
    """Mean number of faces that are pasted into a canvas; their labels are the teacher's."""
    bent: float = 0.0
    """Share of canvases that are stretched and sheared before the teacher looks at them."""
    blended: float = 0.0
    """Share of canvases through which another one shows."""
    spoiled: float = 0.0
    """Share of canvases that are degraded before the teacher looks at them."""


VARIED = Style(grids=(0.4, 0.3, 0.2, 0.1), tilted=0.6, clean=0.0, hard=0.0)
"""For most variety."""
CLOSE = Style(grids=(0.55, 0.25, 0.13, 0.07), tilted=0.4, clean=0.5, hard=0.35)
"""Closer to real photos, as YOLOX (Ge et al., 2021) ends without strong augmentation."""
NEAR = Style(grids=(0.75, 0.15, 0.07, 0.03), tilted=0.2, clean=0.7, hard=0.3)
"""Closest to them."""
MINED = Style(
    grids=(0.9, 0.06, 0.03, 0.01),
    tilted=0.1,
    clean=0.75,
    hard=0.5,
    whole=0.6,
    sizes=(0.35, 0.2, 0.45),
)
"""Whole photos above all, half of them such that a network before this one failed on."""
CROWDED = replace(MINED, hard=0.35, sizes=(0.4, 0.2, 0.4), pasted=3.0)
"""Whole photos with strangers in them."""
WHOLE = replace(MINED, grids=(1.0, 0.0, 0.0, 0.0), tilted=0.0, whole=0.9, sizes=(0.1, 0.1, 0.8))
"""As the detector will get them."""
MATCHED = replace(
    WHOLE,
    grids=(0.8, 0.12, 0.05, 0.03),
    tilted=0.3,
    clean=0.9,
    hard=0.25,
    whole=0.8,
    sizes=(0.2, 0.15, 0.65),
    pasted=1.5,
    bent=0.3,
    blended=0.25,
    spoiled=0.4,
)
"""Pictures of all sorts of which the student should think what the teacher thinks, whatever that is
(function matching, Beyer et al., 2022)."""
TRUER = replace(MATCHED, hard=0.4, whole=0.85, sizes=(0.15, 0.15, 0.7), blended=0.15, spoiled=0.3)
"""The same, closer to what the detector will get."""
STYLES = {
    "varied": VARIED,
    "close": CLOSE,
    "near": NEAR,
    "mined": MINED,
    "crowded": CROWDED,
    "whole": WHOLE,
    "matched": MATCHED,
    "truer": TRUER,
}


@dataclass(frozen=True)
class Sources:
    """What canvases are made of: photos (BGR) with their faces, and pictures without any."""

    photos: Sequence[Image]
    faces: Sequence[Faces]
    negatives: Sequence[Image]
    hard: NDArray[np.int64]
    """Indices of the photos with faces that are hard to find: turned, hidden, in a group."""
    crops: Sequence[Image] = ()
    """Aligned crops of other faces (BGR), to be pasted."""

    @cached_property
    def shown(self) -> NDArray[np.int64]:
        """Indices of the photos with faces."""
        return np.flatnonzero([len(faces) > 0 for faces in self.faces])


def warp_faces(faces: Faces, matrix: Floats, angle: float) -> Faces:
    """Map faces by the similarity `matrix [2, 3]` that turns by `angle` radians.

    The box of a turned face keeps its shape about its moved centre: its corners would span a
    box that is too large.
    """
    scale = float(np.hypot(matrix[0, 0], matrix[0, 1]))
    centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    halves = (faces.boxes[:, 2:] - faces.boxes[:, :2]) / 2 * scale
    # A head is taller than wide; a turn mixes the two sides.
    cosine, sine = np.cos(angle) ** 2, np.sin(angle) ** 2
    halves = halves * cosine + halves[:, ::-1] * sine
    boxes = np.concatenate([centres - halves, centres + halves], 1).astype(np.float32)
    landmarks = (faces.landmarks @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    return Faces(boxes, landmarks, faces.scores)


def cut_faces(faces: Faces, x: int, y: int, width: int, height: int) -> Faces:
    """Judge faces by what the cell at (x, y) shows of them; their boxes keep their full extent.

    The teacher's boxes reach beyond the photo where a face does, and so must the student's.
    A face less than 0.4 visible becomes doubtful (score at most 0.3), one less than 0.15 visible
    is dropped.
    """
    low, high = np.array([x, y]), np.array([x + width, y + height])
    seen = faces.boxes[:, 2:].clip(low, high) - faces.boxes[:, :2].clip(low, high)
    area = (faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(1)
    visible = seen.prod(1) / np.maximum(area, 1e-6)
    scores = np.where(visible < 0.4, np.minimum(faces.scores, 0.3), faces.scores)
    kept = Faces(faces.boxes, faces.landmarks, scores.astype(np.float32))
    return kept.select(visible >= 0.15)


def fill_cell(
    canvas: Image,
    cell: tuple[int, int, int, int],
    sources: Sources,
    style: Style,
    rng: np.random.Generator,
) -> Faces:
    """Warp a random photo or negative into the cell (x, y, width, height) of `canvas`.

    A photo is scaled so that one of its faces is 0.12 to 1 times the cell's shorter side. One
    cell in eight shows a negative, one in sixteen a part of a photo wherever that falls; a share
    of cells is turned by an angle of standard deviation 0.15.
    """
    import cv2

    x, y, width, height = cell
    side = min(width, height)
    draw = rng.random()
    none = Faces(
        np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32)
    )
    if draw < 1 / 8:
        photo, faces = draw_negative(rng, sources.negatives), none
    else:
        if style.hard and len(sources.hard) and rng.random() < style.hard:
            index = int(rng.choice(sources.hard))
        else:
            index = int(rng.integers(len(sources.photos)))
        photo, faces = sources.photos[index], sources.faces[index]
    if rng.random() < 0.5:
        photo, faces = np.ascontiguousarray(photo[:, ::-1]), mirror(faces, photo.shape[1])
    if draw >= 1 / 8 and style.whole and rng.random() < style.whole:
        anchor = np.array(photo.shape[1::-1]) / 2
        scale = side / max(photo.shape[:2]) * 2 ** rng.uniform(-0.6, 0.15)
        free = (np.array([width, height]) - 2 * anchor * scale) / 2
        target = np.array([x + width / 2, y + height / 2]) + rng.uniform(-1, 1, 2) * np.abs(free)
    elif draw < 3 / 16 or not len(faces):
        anchor = rng.uniform(0, 1, 2) * photo.shape[1::-1]
        scale = side / max(photo.shape[:2]) * 2 ** rng.uniform(-0.5, 2.5)
        target = np.array([x + width / 2, y + height / 2])
    else:
        box = faces.boxes[int(rng.integers(len(faces)))]
        anchor = (box[:2] + box[2:]) / 2
        size = float(np.sqrt(np.prod(box[2:] - box[:2])))
        wanted = side * 2 ** rng.uniform(-3.0, 0.0)
        # Enlarging more than four times shows no detail that training could use.
        scale = min(wanted / size, 4.0)
        free = np.maximum(np.array([width, height]) - 0.8 * size * scale, 0) / 2
        target = np.array([x + width / 2, y + height / 2]) + rng.uniform(-1, 1, 2) * free
    if scale < 0.5 and rng.random() < 0.5:
        # Half of the small views are smooth, half aliased as by insightface's own resizing.
        shrink = 2 * scale
        photo = cv2.resize(photo, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        faces = Faces(faces.boxes * shrink, faces.landmarks * shrink, faces.scores)
        anchor, scale = anchor * shrink, 0.5
    angle = rng.normal(0, 0.15) if rng.random() < style.tilted else 0.0
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    matrix = np.concatenate([turn, (target - turn @ anchor)[:, None]], 1).astype(np.float32)
    local = matrix - np.array([[0, 0, x], [0, 0, y]], np.float32)
    window = canvas[y : y + height, x : x + width]
    if rng.random() < 0.4:
        window[:] = cv2.resize(draw_negative(rng, sources.negatives), (width, height))
    else:
        # Black, as insightface pads a photo, or grey.
        window[:] = 0 if rng.random() < 0.7 else rng.integers(256)
    window[:] = cv2.warpAffine(
        photo,
        local,
        (width, height),
        dst=np.ascontiguousarray(window),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    return cut_faces(warp_faces(faces, matrix, angle), x, y, width, height)


def draw_face(sources: Sources, rng: np.random.Generator) -> tuple[Image, Floats]:
    """A random face: its photo, or in half of the cases the crop of it, and its box `[4]`."""
    if len(sources.crops) and rng.random() < 0.5:
        crop = sources.crops[int(rng.integers(len(sources.crops)))]
        return crop, CROP_BOX * len(crop)
    index = int(rng.choice(sources.shown))
    boxes = sources.faces[index].boxes
    return sources.photos[index], boxes[int(rng.integers(len(boxes)))]


def compose_canvas(
    sources: Sources, size: int, style: Style, rng: np.random.Generator
) -> tuple[Image, Faces]:
    """Compose one training canvas `uint8 [size, size, 3]` BGR, not degraded, and its faces.

    Pasted faces are not among them, and may hide some.
    """
    grid = int(rng.choice(GRIDS, p=style.grids))
    inner = np.arange(1, grid) / grid
    xs, ys = (
        np.r_[0, (inner + rng.uniform(-0.15, 0.15, grid - 1) / grid) * size, size].astype(int)
        for _ in range(2)
    )
    canvas = np.empty((size, size, 3), np.uint8)
    parts = [
        fill_cell(
            canvas,
            (int(xs[i]), int(ys[j]), int(xs[i + 1] - xs[i]), int(ys[j + 1] - ys[j])),
            sources,
            style,
            rng,
        )
        for j in range(grid)
        for i in range(grid)
    ]
    boxes = np.concatenate([p.boxes for p in parts])
    landmarks = np.concatenate([p.landmarks for p in parts])
    scores = np.concatenate([p.scores for p in parts]).astype(np.float32)
    for _ in range(rng.poisson(style.pasted) if style.pasted else 0):
        paste_face(canvas, *draw_face(sources, rng), rng)
    faces = Faces(boxes, landmarks, scores)
    if style.bent and rng.random() < style.bent:
        canvas, faces = bend(canvas, faces, rng)
    if style.blended and rng.random() < style.blended:
        other, _ = compose_canvas(sources, size, replace(style, blended=0.0, spoiled=0.0), rng)
        canvas = blend(canvas, other, rng)
    if style.spoiled and rng.random() < style.spoiled:
        canvas, _ = degrade(canvas, rng, 2.5)
    return canvas, faces


def bend(canvas: Image, faces: Faces, rng: np.random.Generator) -> tuple[Image, Faces]:
    """Stretch the sides of a canvas by up to a third each and shear it, about its centre.

    Boxes stay upright: they get the sides of what they held, without the shear.
    """
    import cv2

    stretch = 2 ** rng.uniform(-0.4, 0.4, 2)
    matrix = np.diag(stretch) @ (np.eye(2) + rng.normal(0, 0.1, (2, 2)) * (1 - np.eye(2)))
    centre = np.full(2, len(canvas) / 2)
    offset = centre - matrix @ centre
    bent: Image = cv2.warpAffine(
        canvas, np.concatenate([matrix, offset[:, None]], 1), canvas.shape[1::-1]
    )
    middles = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2 @ matrix.T + offset
    halves = (faces.boxes[:, 2:] - faces.boxes[:, :2]) / 2 * stretch
    boxes = np.concatenate([middles - halves, middles + halves], 1).astype(np.float32)
    landmarks = (faces.landmarks @ matrix.T + offset).astype(np.float32)
    return bent, Faces(boxes, landmarks, faces.scores)


def blend(canvas: Image, other: Image, rng: np.random.Generator) -> Image:
    """Let another canvas of the same size show through this one, by a tenth to a half."""
    import cv2

    share = rng.uniform(0.1, 0.5)
    mixed: Image = cv2.addWeighted(canvas, 1 - share, other, share, 0)
    return mixed


def degrade_canvas(
    canvas: Image, faces: Faces, style: Style, rng: np.random.Generator, sure: float = 0.5
) -> tuple[Image, Faces, float]:
    """Degrade a canvas unless chance keeps it clean, and judge its faces by what is left.

    Faces with scores of at least `sure` are to be found; the others are to be ignored. Faces
    whose detail was lost (side over loss of resolution below `LEAST_FACE`) score at most 0.3. The
    third of what is returned is the factor, 1 or more, by which the resolution fell.
    """
    sides = np.sqrt((faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(1))
    found = sides[faces.scores >= sure]
    strongest = float(np.clip(np.median(found) / 10, 1, 8)) if len(found) else 4.0
    factor = 1.0
    if style.clean == 0 or rng.random() >= style.clean:
        canvas, factor = degrade(canvas, rng, strongest)
    scores = np.where(sides / factor < LEAST_FACE, np.minimum(faces.scores, 0.3), faces.scores)
    return canvas, Faces(faces.boxes, faces.landmarks, scores.astype(np.float32)), factor
