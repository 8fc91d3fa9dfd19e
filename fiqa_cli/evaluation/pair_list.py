"""Lists of pairs: columns `a`, `b` and `mated`, and `similarity` if the faces are compared yet."""

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.pairs import Pairs, identities_of_mated
from fiqa_cli.records.readers import open_reader
from fiqa_cli.records.row import to_number

COLUMNS = ("a", "b", "mated")

_FLAGS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


def read_pair_list(path: Path) -> tuple[Pairs, NDArray[np.float64] | None]:
    """The pairs of a CSV, JSON, JSON Lines or Parquet file, and their similarities if it has them.

    `a` and `b` are paths as in the score files, `mated` is 1 or 0, true or false. Identities are
    what `identities_of_mated` makes of the pairs. A similarity that is missing is NaN. Raises
    `FiqaError` for a file that cannot be read, a row without these, or if there is no row.
    """
    sides: list[tuple[str, str]] = []
    mated: list[bool] = []
    similarity: list[float] = []
    compared = False
    with open_reader(path) as reader:
        for batch in reader:
            a, b, flags = (batch.column(name) for name in COLUMNS)
            for row, cells in enumerate(zip(a, b, flags, strict=True), len(sides) + 1):
                _check(path, row, cells)
            sides += [(str(x), str(y)) for x, y in zip(a, b, strict=True)]
            mated += [_FLAGS[str(flag).lower()] for flag in flags]
            compared = compared or "similarity" in batch.columns
            numbers = (to_number("similarity", value) for value in batch.column("similarity"))
            similarity += [np.nan if number is None else number for number in numbers]
    if not sides:
        raise FiqaError(f"{path} has no pairs: give the columns {', '.join(COLUMNS)}")
    rows = {face: row for row, face in enumerate(dict.fromkeys(chain(*sides)))}
    first, second = np.array([(rows[a], rows[b]) for a, b in sides]).T
    match = np.array(mated)
    identities = identities_of_mated(len(rows), first[match], second[match])
    pairs = Pairs(list(rows), first, second, match, identities)
    return pairs, np.array(similarity) if compared else None


def _check(path: Path, row: int, cells: tuple[Any, ...]) -> None:
    for name, cell in zip(COLUMNS, cells, strict=True):
        if cell is None or cell == "":
            raise FiqaError(
                f"{path}: row {row} has no {name}: give the columns {', '.join(COLUMNS)}"
            )
    if str(cells[2]).lower() not in _FLAGS:
        raise FiqaError(f"{path}: row {row}: mated is {cells[2]!r}, expected 1 or 0")
