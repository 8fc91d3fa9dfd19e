"""Faces pasted into a canvas: the strangers in the background that photos show too rarely."""

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.training.detector.degradation import change_light
from fiqa_cli.training.detector.labels import Floats

Image = NDArray[np.uint8]


def paste_face(canvas: Image, photo: Image, box: Floats, rng: np.random.Generator) -> None:
    """Paste the face at `box` (x1, y1, x2, y2) of `photo` somewhere into `canvas`, in place.

    The face gets a side of 12 pixels to a quarter of the canvas, and may be turned, mirrored,
    narrowed as by a turn of the head, out of focus, in another light, half hidden behind what the
    canvas shows, or cut by its edge. What of it can still be found is for the teacher to say.
    """
    import cv2

    extent = len(canvas)
    side = float(np.sqrt(np.prod(box[2:] - box[:2])))
    wanted = 12 * (extent / 48) ** rng.random()
    scale = min(wanted / side, 2.0)
    if scale < 0.5:
        shrink = 2 * scale
        photo = cv2.resize(photo, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        box, scale = box * shrink, 0.5
    photo = change_light(photo, rng) if rng.random() < 0.6 else photo

    # From the photo to a window about the pasted face, then to its place on the canvas.
    half = int(1.1 * wanted) + 2
    centre = (box[:2] + box[2:]) / 2
    angle = rng.normal(0, 0.3)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    narrow = rng.uniform(0.5, 1) if rng.random() < 0.5 else 1.0
    facing = -1 if rng.random() < 0.5 else 1
    matrix = turn @ np.diag([facing * scale * narrow, scale])
    matrix = np.concatenate([matrix, (half - matrix @ centre)[:, None]], 1)
    window = cv2.warpAffine(photo, matrix, (2 * half, 2 * half), borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.6:
        window = cv2.GaussianBlur(window, (0, 0), 0.1 + wanted * 0.08 * rng.random() ** 2)

    shown = _shape(photo.shape[:2], box, rng)
    mask = cv2.warpAffine(shown, matrix, (2 * half, 2 * half))
    if rng.random() < 0.5:
        mask *= _uncovered(half, wanted, rng)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.5 + 0.02 * wanted)[..., None]

    x, y = (rng.random(2) * extent).astype(int) - half
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + 2 * half, extent), min(y + 2 * half, extent)
    place = canvas[top:bottom, left:right]
    part = np.s_[top - y : bottom - y, left - x : right - x]
    place[:] = place + mask[part] * (window[part].astype(np.float32) - place)


def _shape(size: tuple[int, int], box: Floats, rng: np.random.Generator) -> Floats:
    """How much of each pixel of the photo is pasted: an oval from the face alone to the head."""
    import cv2

    shown = np.zeros(size, np.float32)
    centre = ((box[:2] + box[2:]) / 2).round().astype(int).tolist()
    axes = ((box[2:] - box[:2]) / 2 * rng.uniform(1.0, 1.6)).round().astype(int).tolist()
    cv2.ellipse(shown, centre, axes, 0, 0, 360, 1.0, -1)
    return shown


def _uncovered(half: int, side: float, rng: np.random.Generator) -> Floats:
    """1 on one side of a line through the window, 0 on the other."""
    angle, offset = rng.uniform(0, 2 * np.pi), side * rng.uniform(-0.1, 0.4)
    steps = np.arange(-half, half, dtype=np.float32)
    across = steps * np.float32(np.cos(angle)) + steps[:, None] * np.float32(np.sin(angle))
    return (across < offset).astype(np.float32)
