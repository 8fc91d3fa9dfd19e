from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.best import Best, Shot, best_shots

SHOTS = st.lists(
    st.tuples(
        st.sampled_from([0.1, 0.5, 0.9]) | st.floats(-1, 1),
        st.sampled_from([("a",), ("b",)]),
        st.integers(0, 40).map(lambda tenths: tenths / 10),
    ),
    max_size=25,
).map(lambda parts: [Shot(row, *part) for row, part in enumerate(parts)])


@given(SHOTS, st.integers(1, 4), st.sampled_from([0.5, 1.0, 2.5]))
def test_what_is_chosen_lies_apart_and_what_is_not_had_a_reason(shots, count, apart):
    rows = {row for row, _ in best_shots(shots, Best(count, apart=apart))}
    for group in {shot.group for shot in shots}:
        mine = [shot for shot in shots if shot.group == group]
        chosen = [shot for shot in mine if shot.row in rows]
        assert 1 <= len(chosen) <= count
        assert all(abs(a.moment - b.moment) >= apart for a, b in combinations(chosen, 2))
        for shot in mine:
            better = [c for c in chosen if (-c.quality, c.row) < (-shot.quality, shot.row)]
            if shot.row not in rows:
                near = any(abs(c.moment - shot.moment) < apart for c in better)
                assert near or len(better) == count


@given(SHOTS, st.integers(1, 4))
def test_without_a_distance_they_are_the_best(shots, count):
    expected = []
    for group in {shot.group for shot in shots}:
        mine = [shot for shot in shots if shot.group == group]
        expected += sorted(mine, key=lambda shot: (-shot.quality, shot.row))[:count]
    chosen = best_shots(shots, Best(count))
    assert chosen == sorted((shot.row, shot.quality) for shot in expected)


def test_photos_have_no_moments():
    photos = [Shot(0, 0.5, ("a",)), Shot(1, 0.6, ("a",))]
    with pytest.raises(FiqaError, match="leave out --apart"):
        best_shots(photos, Best(1, apart=1))
    assert best_shots([], Best(1, apart=1)) == []
    mixed = [*photos, Shot(2, 0.7, ("a",), 0.0), Shot(3, 0.8, ("a",), 0.5)]
    assert [row for row, _ in best_shots(mixed, Best(3, apart=1))] == [0, 1, 3]
