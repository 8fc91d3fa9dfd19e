"""Pair qualities, and what becomes of pairs with a face that has none."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fiqa_cli.errors import FiqaError

Missing = Literal["drop", "worst", "error"]


def pair_quality(quality: ArrayLike) -> NDArray[np.float64]:
    """The lesser quality of both faces, `[P]` out of `[P, 2]`; NaN if either is NaN.

    What is `[P]` already stays. Raises `FiqaError` for other shapes.
    """
    values = np.asarray(quality, np.float64)
    if values.ndim == 2 and values.shape[1] == 2:
        return np.minimum(values[:, 0], values[:, 1])
    if values.ndim != 1:
        raise FiqaError(f"qualities of shape {values.shape}: expected [pairs, 2] or [pairs]")
    return values


def settle_missing(
    qualities: Sequence[NDArray[np.float64]], missing: Missing
) -> tuple[list[NDArray[np.float64]], NDArray[np.bool_] | None]:
    """Pair qualities `[P]` of several methods without NaN, and which pairs to keep.

    `drop` keeps the pairs that all methods scored, so that they are compared on the same ones;
    `worst` gives the others the quality -inf, so that they leave first, together. The mask `[P]`
    is `None` if all pairs stay. Raises `FiqaError` with `error` if any is NaN, for an unknown
    `missing`, and if nothing would be left.
    """
    if missing not in ("drop", "worst", "error"):
        raise FiqaError(f"unknown treatment {missing!r} of missing qualities: drop, worst or error")
    lacking = [np.isnan(quality) for quality in qualities]
    if not any(mask.any() for mask in lacking):
        return list(qualities), None
    unscored = np.logical_or.reduce(lacking)
    if missing == "error":
        raise FiqaError(
            f"{np.count_nonzero(unscored):,} of {len(unscored):,} pairs have a face without "
            "quality: choose --missing drop, or worst to let them leave first"
        )
    if missing == "worst":
        # np.where spares the caller's array.
        pairs = zip(qualities, lacking, strict=True)
        return [np.where(mask, -np.inf, quality) for quality, mask in pairs], None
    if unscored.all():
        raise FiqaError("no pair has two faces with a quality: score these images first")
    return [quality[~unscored] for quality in qualities], ~unscored
