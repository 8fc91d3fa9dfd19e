"""InsightFace's verification sets (`lfw.bin`, `cfp_fp.bin`, …) as pairs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.pairs import Pairs, identities_of_mated, read_whole
from fiqa_cli.sources.reasons import UnreadableImage
from fiqa_cli.sources.verification_set import parse_set


@dataclass(frozen=True, slots=True, eq=False)
class BinSet:
    """The images and pairs of a set."""

    images: list[bytes]
    """Encoded images `[F]`, each once."""
    pairs: Pairs
    """Pairs whose faces `[F]` are `PATH::NUMBER`, after the first place of each image."""


def read_bin_set(path: Path) -> BinSet:
    """Read an InsightFace `.bin` set, pickled by Python 2 or 3.

    Images that occur in several pairs are taken for one face; identities are what
    `identities_of_mated` makes of the pairs. Raises `FiqaError` for a file that cannot be read,
    that is cut off, or whose pickle holds, or would do, anything else; nothing of it is run.
    """
    try:
        encoded, flags = parse_set(read_whole(path))
    except UnreadableImage as error:
        raise FiqaError(f"{path}: {error}") from error
    places: dict[bytes, int] = {}
    for place, image in enumerate(encoded):
        places.setdefault(image, place)
    rows = {image: row for row, image in enumerate(places)}
    first, second = np.array([rows[image] for image in encoded]).reshape(-1, 2).T
    mated = np.array(flags, np.bool_)
    identities = identities_of_mated(len(rows), first[mated], second[mated])
    faces = [f"{path}::{place}" for place in places.values()]
    return BinSet(list(rows), Pairs(faces, first, second, mated, identities))
