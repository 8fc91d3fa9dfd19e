import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_cli.report.histogram import histogram_of, ticks

QUALITIES = st.lists(st.floats(-1e6, 1e6), min_size=1).map(np.array)


@given(QUALITIES)
def test_every_quality_is_in_a_bar_and_on_the_axis(quality):
    histogram = histogram_of(quality)
    assert histogram.counts.sum() == len(quality)
    assert histogram.low < histogram.high
    places = [histogram.place(value) for value in np.sort(quality)]
    assert places == sorted(places)
    assert places[0] >= 0 and places[-1] <= 100


def test_a_few_far_ones_do_not_press_the_others_together():
    quality = np.append(np.random.default_rng(0).normal(10, 1, 5000), [1e6, 2e6])
    histogram = histogram_of(quality)
    assert histogram.high < 20
    assert histogram.low == quality.min()
    assert histogram.counts[-1] >= 2
    spread = histogram_of(np.linspace(0, 1, 5000))
    assert (spread.low, spread.high) == (0, 1)


@pytest.mark.parametrize(("scale", "text"), [(1, "0.500"), (1e4, "5000"), (1e-3, "0.000500")])
def test_decimals_tell_a_thousandth_of_the_axis_apart(scale, text):
    histogram = histogram_of(np.linspace(0, 1, 101) * scale)
    assert histogram.text(0.5 * scale) == text


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_round_and_within(low, width):
    high = low + width
    marks = ticks(low, high)
    assert len(marks) <= 7
    slack = 1e-6 * max(abs(low), abs(high))
    assert all(low - slack <= mark <= high + slack for mark in marks)


def test_ticks_of_an_axis():
    assert ticks(0.1, 1.02) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert ticks(0, 8800) == [0, 2000, 4000, 6000, 8000]
