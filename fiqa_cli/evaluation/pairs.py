"""Pairs of faces to compare, whatever they were read from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """P pairs out of F faces."""

    faces: list[str]
    """What is compared, each once: paths of images as they were given, or ids of templates."""
    first: Rows
    """Row in `faces` of one side of each pair, `[P]`."""
    second: Rows
    """Row in `faces` of the other side, `[P]`."""
    mated: NDArray[np.bool_]
    """Whether both sides show one person, `[P]`."""
    identities: Rows
    """Number of the person of each face, from 0, `[F]`."""

    def both(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Values `[F, ...]` of the faces (qualities, identities) as `[P, 2, ...]`."""
        return values[np.column_stack([self.first, self.second])]


def identities_of_mated(faces: int, first: Rows, second: Rows) -> Rows:
    """Numbers `[faces]` of persons, from 0, if rows `first` and `second` `[M]` are mated.

    Faces that a chain of mated pairs joins are one person; a face without any is one of its own.
    """
    roots = np.arange(faces)
    while (differs := roots[first] != roots[second]).any():
        first, second = first[differs], second[differs]
        a, b = roots[first], roots[second]
        np.minimum.at(roots, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(shorter := roots[roots], roots):
            roots = shorter
    return np.unique(roots, return_inverse=True)[1].reshape(faces).astype(np.int64)


def read_whole(path: Path) -> bytes:
    """The bytes of a file of pairs; raises `FiqaError` if it cannot be read or is empty."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FiqaError(f"cannot read {path}: {error.strerror}") from error
    if not content.strip():
        raise FiqaError(f"{path} is empty: give a file of pairs")
    return content
