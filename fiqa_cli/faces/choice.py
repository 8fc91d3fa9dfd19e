"""Which faces of an image are scored."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fiqa_cli.faces.face import Face


class FaceChoice(StrEnum):
    """All faces, the one with the largest box, or the one that the detector is surest of."""

    ALL = "all"
    LARGEST = "largest"
    BEST = "best"


def choose(faces: "Sequence[Face]", choice: FaceChoice) -> "list[Face]":
    """The chosen faces, in order of falling detector score; equal scores keep their order."""
    ranked = sorted(faces, key=lambda face: -face.score)
    if not ranked or choice is FaceChoice.ALL:
        return ranked
    if choice is FaceChoice.LARGEST:
        return [max(ranked, key=lambda face: face.area)]
    return ranked[:1]
