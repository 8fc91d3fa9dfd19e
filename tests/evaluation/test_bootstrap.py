from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation import Definition, bootstrap, edc, pauc

AT_HALF = Definition(threshold=0.5)


def test_the_interval_of_a_flat_curve_is_binomial():
    """One mated pair for each of 40 persons, 12 of them errors, and a quality that says nothing."""
    similarity = np.where(np.arange(40) < 12, 0.1, 0.9)
    persons = np.arange(40)[:, None].repeat(2, axis=1)
    drawn = bootstrap(
        similarity, {"flat": np.ones(40)}, np.ones(40), persons, AT_HALF, resamples=2000
    )
    low, high = drawn.interval("flat", 0.2)
    assert low / 0.2 == pytest.approx(binom.ppf(0.025, 40, 0.3) / 40, abs=1.01 / 40)
    assert high / 0.2 == pytest.approx(binom.ppf(0.975, 40, 0.3) / 40, abs=1.01 / 40)
    assert drawn.raw[:, 0, 0].mean() / 0.2 == pytest.approx(0.3, abs=0.01)
    assert drawn.normalised == pytest.approx(1)


def test_shares_of_three_persons_are_those_of_all_27_resamples():
    """Persons have 3, 2 and 1 mated pairs: resampling pairs would give other shares."""
    person = np.array([0, 0, 0, 1, 1, 2])
    similarity = np.array([0.1, 0.9, 0.9, 0.1, 0.9, 0.1])
    qualities = {
        "a": np.array([2, 5, 1, 3, 4, 6.0]),
        "b": np.array([3, 1, 2, 6, 5, 4.0]),
    }
    mated = np.ones(6)
    below = []
    for drawn in product(range(3), repeat=3):
        rows = np.concatenate([np.flatnonzero(person == one) for one in drawn])
        areas = [
            pauc(edc(similarity[rows], quality[rows], mated[rows], AT_HALF), [0.3])[0].raw
            for quality in qualities.values()
        ]
        below.append(areas[0] < areas[1])
    persons = np.column_stack([person, person])
    found = bootstrap(
        similarity, qualities, mated, persons, AT_HALF, limits=[0.3], resamples=2000, seed=1
    )
    assert 0.2 < np.mean(below) < 0.8
    assert found.share_below("a", "b", 0.3) == pytest.approx(np.mean(below), abs=0.04)
    assert found.share_below("a", "a", 0.3) == 0


DEFINITIONS = st.sampled_from(
    [
        Definition(fmr=0.2),
        Definition(fmr=0.2, linear=True),
        Definition(fmr=0.3, error="fmr"),
        Definition(fmr=0.2, re_estimated=True),
        Definition(fmr=0.2, re_estimated=True, linear=True),
        Definition(starting_error=0.3),
    ]
)


@settings(max_examples=100, deadline=None)
@given(DEFINITIONS, st.integers(0, 10**6), st.sampled_from([3, 12, 10**6]))
def test_a_resample_is_the_curve_of_repeated_pairs(definition, seed, levels):
    rng = np.random.default_rng(seed)
    persons = rng.integers(0, 6, (80, 2))
    persons[:30, 1] = persons[:30, 0]
    mated = persons[:, 0] == persons[:, 1]
    similarity = rng.integers(0, 12, 80) + 3 * mated
    quality = rng.integers(0, levels, (80, 2))
    found = bootstrap(
        similarity, {"q": quality}, mated, persons, definition, resamples=1, seed=seed
    )
    names, numbers = np.unique(persons, return_inverse=True)
    numbers = numbers.reshape(80, 2)
    drawn = np.random.default_rng(seed).integers(0, len(names), len(names))
    times = [
        np.sum(drawn == a) * (1 if a == b else np.sum(drawn == b)) for a, b in numbers.tolist()
    ]
    rows = np.repeat(np.arange(80), times)
    try:
        curve = edc(similarity[rows], quality[rows], mated[rows], definition)
    except FiqaError:  # too few impostors: another resample was drawn, or no match allowed
        return
    for limit, raw in zip(pauc(curve), found.raw[0, 0], strict=True):
        assert raw == pytest.approx(limit.raw, abs=1e-12)


def test_the_seed_decides():
    rng = np.random.default_rng(0)
    persons = np.arange(50)[:, None].repeat(2, axis=1)
    arguments = rng.random(50), {"q": rng.random(50)}, np.ones(50), persons, AT_HALF
    first, again, other = (bootstrap(*arguments, resamples=5, seed=s).raw for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_methods_are_compared_on_the_pairs_that_all_have_scored():
    similarity, persons = [0.1, 0.9, 0.9, 0.1], [["ana"] * 2, ["bo"] * 2, ["cy"] * 2, ["di"] * 2]
    qualities = {"a": [np.nan, 1, 1, 1], "b": [1, 1, 1, np.nan]}
    found = bootstrap(
        similarity, qualities, [1] * 4, persons, AT_HALF, resamples=20, missing="drop"
    )
    assert not found.raw.any()  # both errors are gone for both methods
    assert np.isnan(found.interval("a", 0.2, kind="normalised")).all()


@pytest.mark.parametrize(
    ("persons", "mated", "message"),
    [
        ([[0, 1], [1, 1]], [1, 1], "1 pairs are mated across two identities"),
        ([[0, 0], [1, 1]], [1, 0], "or non-mated within one"),
        ([0, 1], [1, 1], "identities of shape"),
    ],
)
def test_identities_must_fit(persons, mated, message):
    with pytest.raises(FiqaError, match=message):
        bootstrap([0.1, 0.2], {"q": [1, 2]}, mated, persons, AT_HALF)


def test_two_persons_give_impostors_in_some_resamples_only():
    similarity = [0.9, 0.8, *np.linspace(0, 0.5, 10)]
    persons = [[0, 0], [1, 1], *[[0, 1]] * 10]
    found = bootstrap(
        similarity, {"q": np.ones(12)}, [1, 1, *[0] * 10], persons, Definition(fmr=0.1)
    )
    assert not found.raw.any()
    with pytest.raises(FiqaError, match="needs 1,000"):
        bootstrap(similarity, {"q": np.ones(12)}, [1, 1, *[0] * 10], persons)
