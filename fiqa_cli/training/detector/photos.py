"""The photos: their split into training, monitoring and held-out, and their decoding."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


class Split(NamedTuple):
    """Photo names of the three disjoint parts, each sorted."""

    training: list[str]
    monitoring: list[str]
    held_out: list[str]


def photo_names(folder: Path) -> list[str]:
    """Return the sorted file names of the photos directly in `folder`.

    Raises `FiqaError` if there is none.
    """
    names = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not names:
        raise FiqaError(f"no .jpg or .png photo in {folder}: unpack photos.tar there")
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


def read_photo(path: Path) -> NDArray[np.uint8]:
    """Decode a photo to `uint8 [H, W, 3]` BGR, as insightface expects it.

    Raises `FiqaError` if it cannot be decoded.
    """
    import cv2

    photo: NDArray[np.uint8] | None = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if photo is None:
        raise FiqaError(f"cannot decode {path}: remove it from the folder")
    return photo
