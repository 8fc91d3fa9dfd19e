"""Graded degradations of aligned face crops, drawn reproducibly from a seed and an index.

Every degradation maps `(crop, strength, rng)` to a crop: RGB uint8 `[112, 112, 3]` in and out,
strength in [0, 1], where 0 is barely visible and 1 leaves hardly anything of the identity.
Ranges are geometric where the eye and the recogniser respond to ratios rather than to steps.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fiqa_cli.training.crops import SIZE
from fiqa_cli.training.pose import turn_head

Crop = NDArray[np.uint8]
Degradation = Callable[[Crop, float, np.random.Generator], Crop]

REDUCING = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA)
ENLARGING = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


def between(first: float, last: float, strength: float) -> float:
    """Geometric interpolation from `first` at strength 0 to `last` at strength 1."""
    return float(first * (last / first) ** strength)


def to_crop(values: NDArray[np.floating]) -> Crop:
    """Round and clip to uint8, as a camera or an image editor stores it."""
    return as_crop(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def as_crop(values: Any) -> Crop:
    """Give the results of OpenCV, which does not say what it returns, the type of a crop."""
    return np.asarray(values, np.uint8)


def gaussian_blur(crop: Crop, strength: float, rng: np.random.Generator) -> Crop:
    """Out of focus: sigma from 0.5 to 9 pixels."""
    sigma = between(0.5, 9.0, strength)
    return as_crop(cv2.GaussianBlur(crop, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def motion_blur(crop: Crop, strength: float, rng: np.random.Generator) -> Crop:
    """Straight motion in a random direction over 2 to 48 pixels."""
    length = between(2.0, 48.0, strength)
    angle = rng.uniform(0, np.pi)
    radius = int(np.ceil(length / 2))
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1), np.float32)
    for step in np.linspace(-length / 2, length / 2, 4 * radius + 1):
        x, y = radius + step * np.cos(angle), radius + step * np.sin(angle)
        kernel[round(y), round(x)] += 1
    kernel /= kernel.sum()
    return as_crop(cv2.filter2D(crop, -1, kernel, borderType=cv2.BORDER_REPLICATE))


def enlarged(small: Crop, interpolation: int) -> Crop:
    """Bring a reduced crop back to full size."""
    return as_crop(cv2.resize(small, (SIZE, SIZE), interpolation=interpolation))


def resample(crop: Crop, strength: float, rng: np.random.Generator) -> Crop:
    """A small face enlarged: reduced to 80 down to 6 pixels and back, interpolation at random."""
    side = round(between(80, 6, strength))
    small = cv2.resize(crop, (side, side), interpolation=int(rng.choice(REDUCING)))
    return enlarged(small, int(rng.choice(ENLARGING)))


def gaussian_noise(crop: Crop, strength: float, rng: np.random.Generator) -> Crop:
    """Gaussian noise of 3 to 110 grey levels; its grain grows up to four pixels at random."""
    side = crop.shape[0] // int(rng.integers(1, 5))
    channels = 1 if rng.random() < 0.3 else 3
    grain = rng.normal(size=(side, side, channels)).astype(np.float32)
    grain = cv2.resize(grain, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    grain = grain.reshape(*crop.shape[:2], channels)
    return to_crop(crop + between(3, 110, strength) / grain.std() * grain)


def poisson_noise(crop: Crop, strength: float, rng: np.random.Generator) -> Crop:
    """Shot noise of a sensor whose full well falls from 400 to 1.5 photons."""
    photons = between(400, 1.5, strength)
    return to_crop(rng.poisson(crop / 255.0 * photons) * (255.0 / photons))


def jpeg(crop: Crop, strength: float, rng: np.random.Generator) -> Crop:
    """JPEG of quality 50 to 2, of a face of 112 down to 48 pixels."""
    side = round(rng.uniform(48, 112))
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    quality = round(between(50, 2, strength))
    _, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    small = as_crop(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1]
    return enlarged(small, cv2.INTER_LINEAR)


def dark(crop: Crop, strength: float, rng: np.random.Generator) -> Crop:
    """Under-exposure to between 0.7 and 0.01 of the light, with or without read-out noise."""
    noise = rng.uniform(0.3, 5.0) * (rng.random() < 0.5)
    light = between(0.7, 0.01, strength) * crop.astype(np.float32)
    return to_crop(light + noise * rng.normal(size=crop.shape))


def bright(crop: Crop, strength: float, rng: np.random.Generator) -> Crop:
    """Over-exposure by a factor of 1.2 to 14: the highlights saturate."""
    return to_crop(between(1.2, 14.0, strength) * crop.astype(np.float32))


def low_contrast(crop: Crop, strength: float, rng: np.random.Generator) -> Crop:
    """Contrast reduced to 0.7 down to 0.01 around a random grey, as in fog or veiling glare."""
    grey = rng.uniform(30, 225)
    return to_crop(grey + between(0.7, 0.01, strength) * (crop.astype(np.float32) - grey))


def occlusion(crop: Crop, strength: float, rng: np.random.Generator) -> Crop:
    """A block over 4 % to 80 % of the crop, of one colour or of noise."""
    height, width = crop.shape[:2]
    area = between(0.04, 0.8, strength) * height * width
    aspect = between(0.5, 2.0, float(rng.random()))
    block_height = int(np.clip(np.sqrt(area * aspect), 1, height))
    block_width = int(np.clip(area / block_height, 1, width))
    top = int(rng.integers(0, height - block_height + 1))
    left = int(rng.integers(0, width - block_width + 1))
    fill = rng.integers(0, 256, 3)
    if rng.random() < 0.3:
        fill = rng.integers(0, 256, (block_height, block_width, 3))
    out = crop.copy()
    out[top : top + block_height, left : left + block_width] = fill
    return out


def misalignment(crop: Crop, strength: float, rng: np.random.Generator) -> Crop:
    """Wrong landmarks: shift up to 45 px, turn up to 60°, scale up to 2.2 times, either way."""
    height, width = crop.shape[:2]
    share = rng.dirichlet((1.0, 1.0, 1.0)) * 1.6 * strength
    heading = rng.uniform(0, 2 * np.pi)
    turn = 60 * share[1] * rng.choice((-1, 1))
    scale = 2.2 ** (share[2] * rng.choice((-1, 1)))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, scale)
    matrix[:, 2] += 45 * share[0] * np.array((np.cos(heading), np.sin(heading)))
    border = int(rng.choice((cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101, cv2.BORDER_CONSTANT)))
    return as_crop(cv2.warpAffine(crop, matrix, (width, height), borderMode=border))


def pose(crop: Crop, strength: float, rng: np.random.Generator) -> Crop:
    """A face turned out of plane, by 4 to 60° aside or 2 to 35° up or down, or in between."""
    heading = rng.uniform(0, 2 * np.pi)
    turn = 4 + 56 * strength
    return turn_head(
        crop,
        np.deg2rad(turn * np.cos(heading)),
        np.deg2rad(turn * np.sin(heading) * 35 / 60),
    )


SINGLE: dict[str, Degradation] = {
    "gaussian_blur": gaussian_blur,
    "motion_blur": motion_blur,
    "resample": resample,
    "gaussian_noise": gaussian_noise,
    "poisson_noise": poisson_noise,
    "jpeg": jpeg,
    "dark": dark,
    "bright": bright,
    "low_contrast": low_contrast,
    "occlusion": occlusion,
    "misalignment": misalignment,
    "pose": pose,
}


def mixture(crop: Crop, strength: float, rng: np.random.Generator) -> Crop:
    """Two or three different degradations in a row, each weaker than alone."""
    count = int(rng.integers(2, 4))
    for kind in rng.choice(list(SINGLE), count, replace=False):
        crop = SINGLE[kind](crop, strength * rng.uniform(0.3, 0.8), rng)
    return crop


DEGRADATIONS: dict[str, Degradation] = {**SINGLE, "mixture": mixture}

# Mixtures are what real pictures show, so they are drawn three times as often as any one kind.
DRAWN = (*SINGLE, "mixture", "mixture", "mixture")


def drawn(seed: int, index: int) -> tuple[str, float, np.random.Generator]:
    """The kind and the strength of the copy `(seed, index)`, and the generator that makes it."""
    rng = np.random.default_rng((seed, index))
    kind = DRAWN[int(rng.integers(len(DRAWN)))]
    return kind, float(rng.random()), rng


def degrade(crop: Crop, seed: int, index: int) -> tuple[Crop, str, float]:
    """Degrade a crop by a kind and a strength that depend on `(seed, index)` only.

    Returns the copy, the kind (a key of `DEGRADATIONS`) and the strength in [0, 1].
    """
    kind, strength, rng = drawn(seed, index)
    return DEGRADATIONS[kind](crop, strength, rng), kind, strength
