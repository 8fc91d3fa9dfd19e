"""The `pairs.txt` grammar of Labeled Faces in the Wild, which XQLFW and others share.

    10      300                      folds, mated and as many non-mated pairs in each
    Ana_B   1       4                mated: Ana_B_0001 and Ana_B_0004
    Ana_B   2       Cem_D   1        non-mated: Ana_B_0002 and Cem_D_0001

The head may be one number, of a single fold, or be absent; image n of a person lies at
`person/person_n`, n in four digits.
"""

import math
import os
from itertools import chain
from pathlib import Path

import numpy as np

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.pairs import Pairs, read_whole

EXTENSION = ".jpg"


def read_lfw_pairs(path: Path, root: str = "", extension: str = EXTENSION) -> Pairs:
    """The pairs of a file in the grammar above, with the paths of images below folder `root`.

    Raises `FiqaError` for a file that cannot be read, that does not follow the grammar, or that
    has another number of pairs than its head says.
    """
    lines = [os.fsdecode(line).strip() for line in read_whole(path).split(b"\n")]
    filled = [(number, line) for number, line in enumerate(lines, 1) if line]
    if not filled:
        raise FiqaError(f"{path} is empty: give a whole pairs.txt")
    head, *rest = filled
    expected = _announced(head[1])
    if expected is None:
        rest = [head, *rest]
    pairs = [_people(path, number, line) for number, line in rest]
    if not pairs:
        raise FiqaError(f"{path} has a head and no pairs: give a whole pairs.txt")
    if expected is not None and len(pairs) != expected:
        raise FiqaError(
            f"{path} has {len(pairs):,} pairs where its head says {expected:,}: was it cut off?"
        )
    images = {image: row for row, image in enumerate(dict.fromkeys(chain(*pairs)))}
    people = {person: i for i, person in enumerate(dict.fromkeys(name for name, _ in images))}
    folder = f"{root.rstrip('/')}/" if root else ""
    return Pairs(
        faces=[f"{folder}{name}/{name}_{n:04d}{extension}" for name, n in images],
        first=np.array([images[a] for a, _ in pairs]),
        second=np.array([images[b] for _, b in pairs]),
        mated=np.array([a[0] == b[0] for a, b in pairs]),
        identities=np.array([people[name] for name, _ in images]),
    )


def _announced(line: str) -> int | None:
    """How many pairs a head says there are; `None` for what is no head."""
    numbers = line.split()
    if len(numbers) > 2 or not all(_is_number(number) for number in numbers):
        return None
    return 2 * math.prod(map(int, numbers))


def _people(path: Path, number: int, line: str) -> tuple[tuple[str, int], tuple[str, int]]:
    """Both images of a pair, each the name of a person and a number."""
    # Names may hold spaces where tabs part the fields.
    fields = line.split("\t") if "\t" in line else line.split()
    if len(fields) == 3:
        fields.insert(2, fields[0])
    if len(fields) == 4 and _is_number(fields[1]) and _is_number(fields[3]):
        return (fields[0], int(fields[1])), (fields[2], int(fields[3]))
    raise FiqaError(
        f"{path}: line {number} is no pair (name, number, number; or name, number, name, number): "
        f"{line[:80]!r}"
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
