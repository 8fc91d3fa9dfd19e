"""Sample photos for a first run, from pictures that fiqa's dependencies carry in their packages."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fiqa_cli.errors import FiqaError

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURES = {
    "group": ("insightface", "data/images/t1.jpg"),
    "astronaut": ("skimage", "data/astronaut.png"),
    "cat": ("skimage", "data/chelsea.png"),
}
"""Name of the sample: package, and the picture's place in it."""

GRADED = ("group", "astronaut")

GRADES: dict[str, tuple[float, ...]] = {
    "blurred": (1.5, 2.5, 3.5, 5.0),
    "small": (0.5, 0.33, 0.24, 0.18),
    "noisy": (12, 24, 38, 55),
    "dark": (0.3, 0.15, 0.09, 0.06),
}
"""Strength of each kind of copy, from mild to strong, in the unit of the kind's function."""


def write_samples(folder: Path) -> Iterator[Path]:
    """Write the samples into `folder`, made if missing, and yield each path once it is written.

    JPEG files: each of `PICTURES` as it is, and of those in `GRADED` one copy per kind and grade,
    `astronaut-blurred-1.jpg` and so on. The same bytes every time; other files are left alone.

    Raises `FiqaError` if a package lacks its picture or `folder` cannot be written.
    """
    from PIL import Image

    pictures = {name: picture_file(name) for name in PICTURES}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in pictures.items():
            with Image.open(source) as opened:
                photo = opened.convert("RGB")
            yield _save(photo, folder / f"{name}.jpg")
            for kind in GRADES if name in GRADED else ():
                for grade, strength in enumerate(GRADES[kind], start=1):
                    copy = _DEGRADE[kind](photo, strength)
                    yield _save(copy, folder / f"{name}-{kind}-{grade}.jpg")
    except OSError as error:
        raise FiqaError(
            f"cannot write samples to {folder}: {error.strerror or error}; name another folder"
        ) from error


def picture_file(name: str) -> Path:
    """The file of one of `PICTURES`. Raises `FiqaError` if its package lacks it."""
    package, picture = PICTURES[name]
    # find_spec does not import the package, which would take seconds.
    spec = find_spec(package)
    for root in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(root, picture)).is_file():
            return path
    distribution = {"skimage": "scikit-image"}.get(package, package)
    raise FiqaError(
        f"the picture {picture} of {distribution} is missing: "
        f"pip install --force-reinstall {distribution}"
    )


def _save(photo: "Image", path: Path) -> Path:
    photo.save(path, quality=90)
    return path


def _blurred(photo: "Image", sigma: float) -> "Image":
    """Gaussian blur; `sigma` in pixels."""
    from PIL import ImageFilter

    return photo.filter(ImageFilter.GaussianBlur(sigma))


def _small(photo: "Image", scale: float) -> "Image":
    """The detail of a photo whose sides are `scale` as long, enlarged to the old size."""
    from PIL.Image import Resampling

    size = (round(photo.width * scale), round(photo.height * scale))
    return photo.resize(size, Resampling.LANCZOS).resize(photo.size, Resampling.BICUBIC)


def _noisy(photo: "Image", sigma: float) -> "Image":
    """Gaussian noise of standard deviation `sigma`, in grey levels of 255."""
    return _exposed(photo, gain=1, sigma=sigma)


def _dark(photo: "Image", gain: float) -> "Image":
    """Underexposed: light times `gain`, over the read noise of a sensor, which stays."""
    return _exposed(photo, gain=gain, sigma=3)


def _exposed(photo: "Image", gain: float, sigma: float) -> "Image":
    import numpy as np
    from PIL import Image

    noise = np.random.default_rng(0).standard_normal((photo.height, photo.width, 3), np.float32)
    pixels = np.asarray(photo, np.float32) * gain + noise * sigma
    return Image.fromarray(np.rint(pixels).clip(0, 255).astype(np.uint8))


_DEGRADE: dict[str, Callable[["Image", float], "Image"]] = {
    "blurred": _blurred,
    "small": _small,
    "noisy": _noisy,
    "dark": _dark,
}
