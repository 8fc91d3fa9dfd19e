"""Faces of noise, and what training needs to read them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiqa_cli.training.crops import open_crops
from fiqa_cli.training.pictures import Pictures


def write_faces(folder: Path, identities: int = 6, each: int = 2) -> Path:
    """Write `identity/name.png`: blocky crops of 112x112, all different."""
    rng = np.random.default_rng(0)
    for identity in range(identities):
        for number in range(each):
            blocks = rng.integers(0, 256, (14, 14, 3), dtype=np.uint8)
            path = folder / f"id{identity}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.kron(blocks, np.ones((8, 8, 1), np.uint8))).save(path)
    return folder


def small_pictures(folder: Path, identities: int = 6, each: int = 1, copies: int = 1) -> Pictures:
    """The pictures of `write_faces`."""
    return Pictures(open_crops([write_faces(folder, identities, each)]), copies, seed=1)


class PlainPictures(Pictures):
    """Pictures that are held in memory, `[crops, columns, 112, 112, 3]`, of kinds of one's own."""

    def __init__(self, arrays: NDArray[np.uint8], kind: str = "jpeg") -> None:
        object.__setattr__(self, "arrays", arrays)
        object.__setattr__(self, "copies", arrays.shape[1] - 1)
        object.__setattr__(self, "kind", kind)

    def __len__(self) -> int:
        return self.arrays.shape[0] * self.arrays.shape[1]  # type: ignore[attr-defined]

    def read(self, numbers):  # type: ignore[no-untyped-def]
        numbers = np.asarray(numbers)
        return self.arrays[numbers // self.columns, numbers % self.columns].copy()  # type: ignore[attr-defined]

    def kinds(self) -> NDArray[np.str_]:
        return np.array([["clean", *[self.kind] * self.copies]] * len(self.arrays))  # type: ignore[attr-defined]


def negatives(kind: str = "jpeg") -> PlainPictures:
    """Six crops of noise; the copies, all of one `kind`, are their negatives."""
    clean = np.random.default_rng(0).integers(0, 256, (6, 1, 112, 112, 3), dtype=np.uint8)
    return PlainPictures(np.concatenate((clean, 255 - clean), axis=1), kind)
