"""Random loss of quality for detector training."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def change_light(image: Image, rng: np.random.Generator) -> Image:
    """Apply a random gain, offset, gamma and colour cast, or remove the colour."""
    import cv2

    dark = rng.random() < 0.25
    gain = 2 ** (rng.uniform(-4.2, -0.5) if dark else rng.uniform(-0.5, 0.5))
    gamma = 2 ** rng.uniform(-0.5, 0.5)
    offset = 0.0 if dark else rng.uniform(-0.15, 0.15)
    levels = np.linspace(0, 1, 256)[:, None] ** gamma * gain + offset
    levels = levels * (1 + rng.uniform(-0.12, 0.12, 3))
    table = (levels.clip(0, 1) * 255).round().astype(np.uint8)[None]
    changed: Image = cv2.LUT(image, table)
    if rng.random() < 0.1:
        changed = cv2.cvtColor(cv2.cvtColor(changed, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return changed


def lose_detail(image: Image, rng: np.random.Generator, strongest: float) -> Image:
    """Blur the image or scale it down and up again: its resolution falls by up to `strongest`."""
    import cv2

    factor = 2 ** rng.uniform(0, np.log2(strongest))
    height, width = image.shape[:2]
    if rng.random() < 0.5:
        # A Gaussian of sigma 0.7 f removes about what sampling every f-th pixel removes.
        blurred: Image = cv2.GaussianBlur(image, (0, 0), 0.7 * factor)
        return blurred
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    how = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_NEAREST)[int(rng.integers(3))]
    back = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)[int(rng.integers(3))]
    lossy = cv2.resize(image, small, interpolation=how)
    restored: Image = cv2.resize(lossy, (width, height), interpolation=back)
    return restored


def add_noise(image: Image, rng: np.random.Generator) -> Image:
    """Add Gaussian noise of a standard deviation of 2 to 64 grey levels."""
    import cv2

    sigma = 2 ** rng.uniform(1, 6)
    noise = np.empty(image.shape, np.int16)
    cv2.setRNGSeed(int(rng.integers(2**31)))
    cv2.randn(noise, (0, 0, 0), (sigma, sigma, sigma))
    noisy: Image = cv2.add(image, noise, dtype=cv2.CV_8U)
    return noisy


def compress(image: Image, rng: np.random.Generator) -> Image:
    """Pass the image through JPEG of quality 15 to 90."""
    import cv2

    quality = int(rng.integers(15, 91))
    _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))


def degrade(image: Image, rng: np.random.Generator, strongest: float) -> Image:
    """Apply a random subset of the degradations to `uint8 [H, W, 3]`.

    `strongest`, above 1, is by how much its resolution falls at most.
    """
    if rng.random() < 0.7:
        image = change_light(image, rng)
    if rng.random() < 0.4:
        image = lose_detail(image, rng, strongest)
    if rng.random() < 0.25:
        image = add_noise(image, rng)
    if rng.random() < 0.3:
        image = compress(image, rng)
    return image
