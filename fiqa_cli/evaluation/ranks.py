"""Order statistics of many ranges of one array at once, by a wavelet matrix.

The values, as ranks, are split by their highest bit, each half keeping its order, then by the
next bit, and so on; a range of the array stays a range at every level, and a query follows one
bit a level. N values and K ranges take O((N + K) log N) time and O(N + K) memory, as each level
is used for all queries and then dropped. (Claude, Navarro, Ordóñez: The wavelet matrix, 2015.)
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def kth_largest(
    values: Floats, starts: Counts, ends: Counts, k: Counts, weights: Counts | None = None
) -> Floats:
    """In each range `values[starts[i]:ends[i]]`, `[K]`, the value with `k[i]` others above it.

    With `weights` `[N]` a value counts as often as its weight says. The sum of a range must be
    greater than its `k`.
    """
    order = np.argsort(values)
    k, ranks = k.copy(), np.zeros(len(k), np.int64)
    for bit, ones, weighted, zeros in _levels(order, weights):
        above = weighted[ends] - weighted[starts]
        high = above > k
        k -= np.where(high, 0, above)
        ranks |= np.where(high, bit, 0)
        starts, ends = (_descend(side, ones, zeros, high) for side in (starts, ends))
    return values[order[ranks - 1]]


def count_at_least(
    values: Floats, starts: Counts, ends: Counts, bounds: Floats, weights: Counts | None = None
) -> Counts:
    """In each range `values[starts[i]:ends[i]]`, `[K]`, how many are `bounds[i]` or more.

    With `weights` `[N]` a value counts as often as its weight says.
    """
    order = np.argsort(values)
    below = np.searchsorted(values[order], bounds)
    counts = np.zeros(len(bounds), np.int64)
    for bit, ones, weighted, zeros in _levels(order, weights):
        high = (below & bit) > 0
        counts += np.where(high, 0, weighted[ends] - weighted[starts])
        starts, ends = (_descend(side, ones, zeros, high) for side in (starts, ends))
    return counts


def _levels(order: Counts, weights: Counts | None) -> Iterator[tuple[int, Counts, Counts, int]]:
    """Each bit of the ranks 1..N, from the highest, with the split of the values by it.

    The split: how many of the first 0..N values have the bit, and their weight; and how many
    values have it not.
    """
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(1, len(order) + 1)
    for shift in reversed(range(len(order).bit_length())):
        has = (ranks >> shift & 1).astype(np.bool_)
        ones = _cumulative(has)
        zeros = len(ranks) - int(ones[-1])
        yield 1 << shift, ones, ones if weights is None else _cumulative(has * weights), zeros
        ranks = np.concatenate([ranks[~has], ranks[has]])
        if weights is not None:
            weights = np.concatenate([weights[~has], weights[has]])


def _descend(side: Counts, ones: Counts, zeros: int, high: NDArray[np.bool_]) -> Counts:
    before = ones[side]
    return np.where(high, zeros + before, side - before)


def _cumulative(counts: NDArray[np.bool_] | Counts) -> Counts:
    sums = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=sums[1:])
    return sums
