"""Matching: images that two files name by different paths, from folder to folder.

A report may say `crops/ana/1.png` where the embeddings say `/data/crops/ana/1.png` and a list of
pairs `ana/1.png`. Between two files all paths are taken to differ by the same leading folders,
which one of the two leaves out. So equal names in different folders are never confused.
"""

import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.pairs import Rows

Folders = tuple[str, str]
"""Leading folders of the wanted paths and of those at hand, one of them "", both with a slash."""


def match_paths(wanted: Sequence[str], at_hand: Sequence[str], roots: Sequence[str] = ()) -> Rows:
    """For each path `wanted`, `[W]`, its row among distinct paths `at_hand`; -1 where absent.

    Folders `roots` are taken off the beginning of both first. Of the leading folders that bring
    paths together those count that do so for most. Raises `FiqaError` if others do so for half
    as many or more, unless the paths agree as they stand, and if two paths at hand are one.
    """
    names = [clean_path(path, roots) for path in wanted]
    others = [clean_path(path, roots) for path in at_hand]
    if len(set(others)) < len(others):
        twice, _ = Counter(others).most_common(1)[0]
        raise FiqaError(f"two images are called {twice}: give each one path, and one root at most")
    ranked = _leading_folders(names, others).most_common(2)
    if not ranked:
        return np.full(len(names), -1)
    (chosen, most), *rest = ranked
    if rest and chosen != ("", "") and 2 * rest[0][1] >= most:
        first, second = (" or ".join(filter(None, pair)) or "." for pair in (chosen, rest[0][0]))
        raise FiqaError(
            f"{names[0]} may lie in {first} or in {second}: say with --root which one is meant"
        )
    lead, other_lead = chosen
    rows = {
        other[len(other_lead) :]: row
        for row, other in enumerate(others)
        if other.startswith(other_lead)
    }
    return np.array(
        [rows.get(name[len(lead) :], -1) if name.startswith(lead) else -1 for name in names],
        np.int64,
    )


def _leading_folders(names: Iterable[str], others: Iterable[str]) -> Counter[Folders]:
    """How many distinct paths each pair of leading folders brings together, likeliest first."""
    names, others = dict.fromkeys(names), dict.fromkeys(others)
    votes: Counter[Folders] = Counter()
    # Equal counts keep this order: paths as they stand come first.
    votes["", ""] = sum(name in others for name in names)
    for lead in _leads(names, others):
        votes["", lead] += 1
    for lead in _leads(others, names):
        votes[lead, ""] += 1
    return +votes


def _leads(shorter: Iterable[str], longer: Iterable[str]) -> Iterable[str]:
    """What is before `shorter` paths in `longer` ones that end with them."""
    by_depth: dict[int, set[str]] = {}
    for path in shorter:
        by_depth.setdefault(path.count("/"), set()).add(path)
    for path in longer:
        for depth, paths in by_depth.items():
            parts = path.rsplit("/", depth + 1)
            if len(parts) == depth + 2 and path[len(parts[0]) + 1 :] in paths:
                yield f"{parts[0]}/"


def clean_path(path: str, roots: Sequence[str]) -> str:
    """`path` without `.` and double slashes, below the first of the `roots` that it lies in."""
    path = posixpath.normpath(path)
    for root in roots:
        folder = posixpath.normpath(root).rstrip("/") + "/"
        if path.startswith(folder):
            return path[len(folder) :]
    return path
