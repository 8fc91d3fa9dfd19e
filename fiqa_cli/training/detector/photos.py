"""The photos: their split into training, monitoring and held-out, and their decoding."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
LONGEST = 640
"""Longest side in pixels of a photo for training: canvases are no larger."""


class Split(NamedTuple):
    """Photo names of the three disjoint parts, each sorted."""

    training: list[str]
    monitoring: list[str]
    held_out: list[str]


def photo_names(folder: Path) -> list[str]:
    """Return the sorted names of the photos in `folder` and below, relative to it.

    Raises `FiqaError` if there is none.
    """
    found = (p.relative_to(folder) for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    names = sorted(path.as_posix() for path in found)
    if not names:
        raise FiqaError(f"there is no .jpg or .png photo in {folder}: name a folder of photos")
    return names


def split_photos(
    names: Iterable[str], seed: int = 2026, held_out: int = 300, monitoring: int = 100
) -> Split:
    """Split by the rank of each name's SHA-256, salted with `seed`.

    The first `held_out` names are for the final evaluation only, the next `monitoring` are
    watched during training, the rest are trained on. The digest depends on the name alone, so
    the order in which a file system lists the photos does not matter.
    """

    def digest(name: str) -> bytes:
        return hashlib.sha256(f"{seed}:{name}".encode()).digest()

    ranked = sorted(names, key=digest)
    end = held_out + monitoring
    return Split(sorted(ranked[end:]), sorted(ranked[held_out:end]), sorted(ranked[:held_out]))


def read_photo(path: Path, longest: int | None = None) -> NDArray[np.uint8]:
    """Decode a photo to `uint8 [H, W, 3]` BGR, as insightface expects it.

    It is reduced if a side is longer than `longest` pixels. Raises `FiqaError` if it cannot be
    decoded.
    """
    import cv2

    photo: NDArray[np.uint8] | None = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if photo is None:
        raise FiqaError(f"cannot decode {path}: remove it from the folder")
    scale = (longest or max(photo.shape)) / max(photo.shape[:2])
    if scale >= 1:
        return photo
    return np.asarray(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
