"""Light on the face: how much, how much of it beyond the camera's range, and how even."""

from torch import Tensor

from fiqa_cli.measures.detail import variance

FACE = (slice(28, 109), slice(22, 91))
"""Rows and columns of an aligned crop from the forehead to the chin; symmetrical about x = 56,
where the template of the alignment has nose and mouth."""
DARK, BRIGHT = 25, 247
"""Grey levels up to and from which hardly anything can be told apart."""
BLOCK = 3
"""Pixels whose mean is compared with that on the other side: noise is no asymmetry."""


def luminance(grey: Tensor) -> Tensor:
    """Mean grey level of the face, 0 to 255: `[N]` of grey levels `[N, 112, 112]`."""
    return _face(grey).flatten(1).double().mean(1).float()


def contrast(grey: Tensor) -> Tensor:
    """Standard deviation of the face's grey levels, 0 to 127.5: `[N]` of `[N, 112, 112]`."""
    return variance(_face(grey)).sqrt()


def underexposed(grey: Tensor) -> Tensor:
    """Share of the face at grey levels up to `DARK`: `[N]` of grey levels `[N, 112, 112]`."""
    return (_face(grey) <= DARK).float().mean((1, 2))


def overexposed(grey: Tensor) -> Tensor:
    """Share of the face at grey levels from `BRIGHT`: `[N]` of grey levels `[N, 112, 112]`."""
    return (_face(grey) >= BRIGHT).float().mean((1, 2))


def mirror_symmetry(grey: Tensor) -> Tensor:
    """Correlation of the face with its mirror image, -1 to 1: `[N]` of `[N, 112, 112]`.

    1 is symmetrical; light from one side, a turned head and covered halves lower it. nan for a
    face of a single grey level.
    """
    face = _face(grey)
    count, rows, columns = face.shape
    blocks = face.reshape(count, rows // BLOCK, BLOCK, columns // BLOCK, BLOCK).sum(4).sum(2)
    mirrored = blocks.flip(2).flatten(1).double()
    blocks = blocks.flatten(1).double()
    # The mirror image has the mean and the variance of the face.
    squared = blocks.sum(1).square()
    pixels = blocks.shape[1]
    covariance = pixels * (blocks * mirrored).sum(1) - squared
    return (covariance / (pixels * blocks.square().sum(1) - squared)).float()


def _face(grey: Tensor) -> Tensor:
    return grey[:, *FACE]
