import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.cuts import FEWEST, cut_at_discard, cut_at_valley

QUALITIES = st.lists(st.sampled_from([-2.0, 0.1, 0.3, 0.7]) | st.floats(-5, 5), min_size=1)


@given(QUALITIES, st.sampled_from([0, 0.01, 0.1, 0.29, 0.5, 0.999]))
def test_no_higher_cut_discards_as_little(qualities, share):
    cut = cut_at_discard(np.array(qualities), share)
    assert cut in qualities

    def discarded(bound):
        return sum(quality < bound for quality in qualities)

    assert discarded(cut) <= share * len(qualities) + 1e-6
    higher = [quality for quality in qualities if quality > cut]
    assert not higher or discarded(min(higher)) > share * len(qualities)


@pytest.mark.parametrize("share", [1, -0.1, math.nan])
def test_a_share_is_a_fraction(share):
    with pytest.raises(FiqaError, match="no fraction"):
        cut_at_discard(np.ones(3), share)


@pytest.mark.parametrize("count", [200, 20_000])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e4])
def test_the_valley_lies_between_two_peaks(count, scale):
    rng = np.random.default_rng(count)
    low = rng.normal(0, 1, count // 4)
    high = rng.normal(8, 1.5, count - count // 4)
    quality = np.concatenate([high, low]) * scale
    cut = cut_at_valley(quality)
    assert cut in quality
    # The densities of both parts are equal at 3.2; few faces lie around it.
    assert 2 * scale < cut < 5 * scale
    assert np.count_nonzero(quality < cut) == pytest.approx(count // 4, abs=0.02 * count)


DRAWS = {
    "normal": lambda rng: rng.normal(size=2000),
    "skewed": lambda rng: rng.beta(8, 1.5, 2000),
    "flat": lambda rng: rng.random(2000),
    "heavy tailed": lambda rng: rng.standard_t(3, 2000),
    "equal": lambda rng: np.full(2000, 0.5),
    "two values, one rare": lambda rng: np.repeat([0.1, 0.9], [20, 1980]),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("seed", range(5))
def test_one_peak_has_no_valley(name, seed):
    with pytest.raises(FiqaError, match="no valley"):
        cut_at_valley(DRAWS[name](np.random.default_rng(seed)))


def test_few_qualities_have_no_density():
    with pytest.raises(FiqaError, match="too few"):
        cut_at_valley(np.linspace(0, 1, FEWEST - 1))


def test_two_values_have_a_valley():
    assert cut_at_valley(np.repeat([0.1, 0.9], [500, 1500])) == 0.9
