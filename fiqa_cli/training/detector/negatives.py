"""Pictures without faces: scikit-image's samples and synthetic textures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.training.detector.photos import read_photo

Image = NDArray[np.uint8]

SAMPLES = (
    "brick.png",
    "cell.png",
    "clock_motion.png",
    "coffee.png",
    "color.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)
"""Files shipped inside scikit-image. Left out: `astronaut` and `chelsea`, which are test
pictures, and `camera` and `coins`, which show faces."""


def sample_pictures() -> list[Image]:
    """Decode the sample pictures to `uint8 [H, W, 3]` BGR, longest side at most 512."""
    import cv2
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    pictures = []
    for name in SAMPLES:
        picture = read_photo(folder / name)
        scale = min(1.0, 512 / max(picture.shape[:2]))
        pictures.append(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return pictures


def texture(rng: np.random.Generator, size: int = 256) -> Image:
    """Draw coloured noise of a random grain, with face-like ovals and dots over it.

    Returns `uint8 [size, size, 3]`. The ovals have no arrangement of eyes, nose and mouth.
    """
    import cv2

    grain = int(2 ** rng.uniform(1, 7))
    noise = rng.integers(0, 256, (grain, grain, 3), dtype=np.uint8)
    canvas: Image = cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(rng.integers(0, 12))):
        centre = rng.integers(0, size, 2).tolist()
        axes = (2 ** rng.uniform(2, 6, 2)).astype(int).tolist()
        colour = rng.integers(0, 256, 3).tolist()
        filled = -1 if rng.random() < 0.7 else 2
        cv2.ellipse(canvas, centre, axes, rng.uniform(0, 180), 0, 360, colour, filled)
    return canvas


def draw_negative(rng: np.random.Generator, pictures: Sequence[Image]) -> Image:
    """Return a sample picture or, one time in three, a fresh texture."""
    if rng.random() < 1 / 3:
        return texture(rng)
    return pictures[int(rng.integers(len(pictures)))]
