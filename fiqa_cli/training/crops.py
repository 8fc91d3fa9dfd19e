"""Aligned face crops on disk, in one folder per identity."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError

SIZE = 112
HELD_OUT_IDENTITIES = 40
SUFFIXES = {".jpg", ".jpeg", ".png"}


def list_crops(folder: Path) -> tuple[list[Path], NDArray[np.int64]]:
    """Find the images `folder/identity/name.jpg`, sorted by identity and name.

    Returns the paths and, for each, the number of its identity from 0.
    Raises `FiqaError` if there is none.
    """
    paths = sorted(p for p in folder.glob("*/*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise FiqaError(f"{folder}: no crops; give a folder that holds one folder per identity")
    names = [path.parent.name for path in paths]
    _, identities = np.unique(names, return_inverse=True)
    return paths, identities.astype(np.int64)


def read_crop(path: Path) -> NDArray[np.uint8]:
    """Decode one crop as RGB uint8 `[112, 112, 3]`.

    Raises `FiqaError` if it has another size: training data must be aligned beforehand.
    """
    from PIL import Image

    with Image.open(path) as image:
        crop = np.asarray(image.convert("RGB"))
    if crop.shape != (SIZE, SIZE, 3):
        raise FiqaError(
            f"{path}: {crop.shape[1]}x{crop.shape[0]}, expected an aligned 112x112 crop"
        )
    return crop


def hold_out(identities: NDArray[np.int64], count: int, seed: int) -> NDArray[np.bool_]:
    """Mark the crops of `count` identities drawn by `seed`: they choose settings, never train."""
    chosen = np.random.default_rng(seed).choice(identities.max() + 1, count, replace=False)
    return np.isin(identities, chosen)
