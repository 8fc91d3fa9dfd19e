import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation import Definition, edc, pauc

AT_HALF = Definition(threshold=0.5)


def curve_of(similarity):
    """The curve of mated pairs with rising quality."""
    return edc(similarity, np.arange(len(similarity)), np.ones(len(similarity)), AT_HALF)


def test_a_quality_that_says_nothing_has_a_normalised_area_of_1():
    curve = edc([0.1, 0.9, 0.9, 0.9], np.ones(4), np.ones(4), AT_HALF)
    for area, limit in zip(pauc(curve), (0.2, 0.3), strict=True):
        assert (area.limit, area.normalised) == (limit, pytest.approx(1))
        assert area.raw == pytest.approx(0.25 * limit)


def test_the_theoretical_best_falls_to_zero_at_the_error():
    # 0.25 * 0.2 - 0.2² / 2, and 0.25² / 2 beyond the error.
    areas = pauc(curve_of([0.1, 0.9, 0.9, 0.9]), (0.2, 0.3, 1))
    best = [area.raw - area.above_best for area in areas]
    assert best == pytest.approx([0.03, 0.03125, 0.03125])


def test_without_errors_there_is_nothing_to_normalise_by():
    (area,) = pauc(curve_of([0.9, 0.9]), [0.2])
    assert area.raw == area.above_best == 0
    assert math.isnan(area.normalised)
    assert math.isnan(area.gain)


@pytest.mark.parametrize("limit", [0, -0.1, 1.1, math.nan])
def test_limits_are_shares(limit):
    with pytest.raises(FiqaError, match="not within"):
        pauc(curve_of([0.1, 0.9]), [limit])


@given(errors=st.integers(1, 1999), limit=st.floats(0.05, 1), seed=st.integers(0, 1000))
def test_the_gain_is_1_with_the_errors_first_and_in_proportion_between(errors, limit, seed):
    pairs = 2000
    similarity = np.where(np.arange(pairs) < errors, 0.1, 0.9)
    order = np.random.default_rng(seed).permutation(pairs)
    perfect, mixed, silent = (
        pauc(edc(similarity, quality, np.ones(pairs), AT_HALF), [limit])[0]
        for quality in (np.arange(pairs), order, np.zeros(pairs))
    )
    # A curve of pairs is a staircase at its corners; the perfect order's is their limit.
    assert perfect.gain == pytest.approx(1, abs=2 / (pairs * limit * (1 - errors / pairs)))
    assert silent.gain == pytest.approx(0)
    share = (1 - mixed.normalised) / (1 - perfect.normalised)
    assert mixed.gain == pytest.approx(share * perfect.gain, abs=1e-6)


def test_with_errors_alone_there_is_nothing_to_gain():
    (area,) = pauc(curve_of([0.1, 0.1]), [1])
    assert math.isnan(area.gain)
