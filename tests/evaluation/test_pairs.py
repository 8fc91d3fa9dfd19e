import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fiqa_cli.evaluation.pairs import Pairs, identities_of_mated


@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=25))
def test_mated_pairs_join_faces_into_identities(mated):
    people = [{face} for face in range(15)]
    for a, b in mated:
        joined = next(p for p in people if a in p) | next(p for p in people if b in p)
        people = [p for p in people if not p & joined] + [joined]
    first, second = np.array(mated, np.int64).reshape(-1, 2).T
    found = identities_of_mated(15, first, second)
    assert {frozenset(np.flatnonzero(found == i).tolist()) for i in set(found.tolist())} == {
        frozenset(person) for person in people
    }
    assert set(found.tolist()) == set(range(len(people)))


def test_a_long_chain_is_one_identity():
    links = np.random.default_rng(0).permutation(20_000)
    assert not identities_of_mated(20_001, links, links + 1).any()


def test_values_of_both_faces():
    rows = np.array([0, 2]), np.array([1, 0])
    pairs = Pairs(["a", "b", "c"], *rows, np.array([True, False]), np.zeros(3, np.int64))
    assert pairs.both(np.array([0.1, 0.2, 0.3])).tolist() == [[0.1, 0.2], [0.3, 0.1]]
