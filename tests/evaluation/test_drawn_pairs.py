from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.drawn_pairs import draw_pairs
from sources.containers import PHOTOS, write_rec

SIZES = st.lists(st.integers(1, 12), min_size=2, max_size=6).filter(lambda sizes: max(sizes) > 1)


def paths_of(sizes):
    return [f"p{i}/{j:02d}.jpg" for i, size in enumerate(sizes) for j in range(size)]


def pairs_of(drawn):
    """Each pair as two paths and whether it is mated."""
    rows = zip(drawn.first, drawn.second, drawn.mated, strict=True)
    return [(frozenset((drawn.faces[a], drawn.faces[b])), bool(mated)) for a, b, mated in rows]


def test_records_of_a_training_set_are_paired_by_their_labels(tmp_path):
    path = write_rec(tmp_path / "train.rec", PHOTOS)  # odd records show one person, even another
    for pair, mated in pairs_of(draw_pairs(f"{path}::{number}" for number in range(1, 7))):
        first, second = (int(each[-1]) for each in pair)
        assert mated == (first % 2 == second % 2)


@settings(deadline=None)
@given(SIZES, st.integers(1, 8), st.integers(1, 8), st.integers(0, 99))
def test_pairs_are_distinct_rightly_labelled_and_within_limits(sizes, mated, non_mated, seed):
    paths = paths_of(sizes)
    drawn = draw_pairs(paths, mated, non_mated, seed)
    pairs = pairs_of(drawn)
    assert sorted(drawn.faces) == sorted(paths)
    assert len({pair for pair, _ in pairs}) == len(pairs)
    for pair, is_mated in pairs:
        a, b = pair
        assert is_mated == (a.split("/")[0] == b.split("/")[0])
    for i, size in enumerate(sizes):
        own = [is_mated for pair, is_mated in pairs if any(p.startswith(f"p{i}/") for p in pair)]
        assert own.count(True) == min(mated, size * (size - 1) // 2)
        assert own.count(False) >= min(non_mated, size * (len(paths) - size))
    assert len(pairs) - sum(drawn.mated) <= non_mated * len(sizes)
    for path, identity in zip(drawn.faces, drawn.identities, strict=True):
        assert path.startswith(f"p{identity}/")


@given(SIZES)
def test_without_limits_all_pairs_are_drawn(sizes):
    paths = paths_of(sizes)
    drawn = [pair for pair, _ in pairs_of(draw_pairs(paths, 10**6, 10**6))]
    assert sorted(map(sorted, drawn)) == sorted(map(list, combinations(sorted(paths), 2)))


def test_the_seed_decides_and_the_order_of_paths_does_not():
    paths = paths_of([9, 9, 9])
    first = pairs_of(draw_pairs(paths, 5, 5, seed=1))
    assert pairs_of(draw_pairs(paths[::-1], 5, 5, seed=1)) == first
    assert pairs_of(draw_pairs(paths, 5, 5, seed=2)) != first


def test_all_pairs_are_equally_likely():
    paths = paths_of([5, 2, 3])
    counts: dict[frozenset[str], int] = {}
    for seed in range(600):
        for pair, mated in pairs_of(draw_pairs(paths, 3, 1, seed)):
            if mated and all(path.startswith("p0/") for path in pair):
                counts[pair] = counts.get(pair, 0) + 1
    assert len(counts) == 10
    # Each of 10 with chance 0.3: five standard deviations.
    assert np.abs(np.array(list(counts.values())) - 180).max() < 5 * np.sqrt(600 * 0.21)


@pytest.mark.parametrize("paths", [[], ["a/1.jpg"], ["a/1.jpg", "a/2.jpg"], ["a/1", "b/1"]])
def test_refused(paths):
    with pytest.raises(FiqaError, match="give one folder for each identity"):
        draw_pairs(paths)
