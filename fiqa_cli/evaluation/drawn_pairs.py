"""Pairs drawn from folders of identities."""

from collections.abc import Iterable

import numpy as np

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.pairs import Pairs, Rows
from fiqa_cli.records.groups import folder_of

MATED_LIMIT = 100
NON_MATED_LIMIT = 500


def draw_pairs(
    paths: Iterable[str],
    mated_limit: int = MATED_LIMIT,
    non_mated_limit: int = NON_MATED_LIMIT,
    seed: int = 0,
) -> Pairs:
    """Distinct pairs of images, where images directly in one folder show one person.

    For each person up to `mated_limit` pairs of their images, and up to `non_mated_limit` of one
    of their images and one of anybody else, all such pairs being equally likely; a pair that both
    persons draw counts once. The same paths, in any order, limits and seed give the same pairs.

    Raises `FiqaError` if there is no person with two images, or only one person.
    """
    ordered = sorted(set(paths), key=lambda path: (folder_of(path), path))
    folders = [folder_of(path) for path in ordered]
    identities = np.unique(folders, return_inverse=True)[1].reshape(-1).astype(np.int64)
    sizes = np.bincount(identities)
    if len(sizes) < 2 or sizes.max() < 2:
        raise FiqaError(
            f"{len(ordered):,} images in {len(sizes):,} folders make no mated and non-mated pairs: "
            "give one folder for each identity, with two images or more"
        )
    rng = np.random.default_rng(seed)
    mated, non_mated = [], []
    for start, size in zip(np.cumsum(sizes) - sizes, sizes, strict=True):
        codes = _draw(rng, size * (size - 1) // 2, mated_limit)
        mated.append(start + _unordered(codes))
        others = len(ordered) - size
        own, other = np.divmod(_draw(rng, size * others, non_mated_limit), others)
        other += np.where(other >= start, size, 0)
        lesser, greater = np.sort([start + own, other], axis=0)
        non_mated.append(lesser * len(ordered) + greater)
    within = np.concatenate(mated, axis=1)
    across = np.stack(np.divmod(np.unique(np.concatenate(non_mated)), len(ordered)))
    return Pairs(
        faces=ordered,
        first=np.append(within[0], across[0]),
        second=np.append(within[1], across[1]),
        mated=np.arange(within.shape[1] + across.shape[1]) < within.shape[1],
        identities=identities,
    )


def _draw(rng: np.random.Generator, total: int, limit: int) -> Rows:
    """`limit` of the numbers below `total`, or all, rising."""
    if total <= limit:
        return np.arange(total)
    return np.sort(rng.choice(total, limit, replace=False, shuffle=False))


def _unordered(codes: Rows) -> Rows:
    """Numbers as pairs `[2, N]`: 0, 1, 2, 3, … are (0, 1), (0, 2), (1, 2), (0, 3), …"""
    greater = np.floor((1 + np.sqrt(1 + 8 * codes)) / 2).astype(np.int64)
    return np.stack([codes - greater * (greater - 1) // 2, greater])
