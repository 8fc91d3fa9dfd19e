import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from evaluation.slow import slow_area, slow_curve
from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation import Definition, edc, pauc

FOLDER = Path(__file__).parents[1] / "golden"
GOLDEN = json.loads((FOLDER / "edc.json").read_text())["results"]
DEFINITIONS = {
    "starting error 0.05": Definition(starting_error=0.05),
    "threshold 0.4": Definition(threshold=0.4),
    "starting error 0.05, quality rounded to integers": Definition(starting_error=0.05),
    "FMR at threshold 0.6": Definition(error="fmr", threshold=0.6),
}
FMRS = ("0.1", "0.29", "0.5")


@pytest.fixture(scope="module")
def data():
    with np.load(FOLDER / "edc-example.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("method", range(5))
@pytest.mark.parametrize("case", GOLDEN)
def test_golden_figures(data, case, method):
    figures = GOLDEN[case][str(data["names"][method])]
    quality = data["quality"][method]
    if "rounded" in case:
        quality = np.round(quality)
    mated = np.full(len(data["similarity"]), not case.startswith("FMR"))
    curve = edc(data["similarity"], quality[data["pairs"]], mated, DEFINITIONS[case])
    assert curve.pairs == figures["comparisons"]
    assert len(curve.discard) == len(curve.error) == figures["points"]
    assert curve.error[0] == pytest.approx(figures["error_at_0"], abs=1e-6)
    discards = figures["error_at_discard"]
    assert curve.error_at([float(x) for x in discards]) == pytest.approx(
        list(discards.values()), abs=1e-6
    )
    areas = pauc(curve, [float(limit) for limit in figures["pauc"]])
    assert [area.raw for area in areas] == pytest.approx(list(figures["pauc"].values()), abs=1e-6)
    best = list(figures["area_under_theoretical_best"].values())
    assert [area.raw - area.above_best for area in areas] == pytest.approx(best, abs=1e-6)
    for area in areas:
        expected = area.raw / (figures["error_at_0"] * area.limit)
        assert area.normalised == pytest.approx(expected, abs=1e-6)


WHOLE = st.integers(-3, 3)
SCORES = WHOLE | st.floats(-1, 1, width=32)
PAIR = st.tuples(SCORES, st.tuples(SCORES, SCORES), st.booleans())
TIED = st.tuples(WHOLE, st.tuples(WHOLE, WHOLE), st.booleans())
PAIRS = st.lists(TIED, min_size=1, max_size=60) | st.lists(PAIR, min_size=1, max_size=60)
VARIANTS = st.sampled_from(
    [
        {},
        {"linear": True},
        {"error": "fmr"},
        {"threshold": 0.0},
        {"threshold": 1, "error": "fmr"},
        {"re_estimated": True},
        {"re_estimated": True, "linear": True},
    ]
)
# The best non-mated pair has a worse quality than any mated one.
NO_IMPOSTOR_LEFT = [(1, (1, 1), True), (0, (2, 2), True), *[(0, (-1, 3), False)] * 10]


@settings(max_examples=100, deadline=None)
@given(PAIRS, VARIANTS, st.sampled_from(FMRS))
@example(NO_IMPOSTOR_LEFT, {"re_estimated": True}, "0.1")
def test_curves_are_their_definition(pairs, variant, fmr):
    definition = Definition(fmr=float(fmr), **variant)
    similarity, quality, mated = zip(*pairs, strict=True)
    assume(any(mated) if definition.error == "fnmr" else not all(mated))
    assume(not definition.needs_impostors or mated.count(False) * float(fmr) >= 1)
    points = slow_curve(similarity, quality, mated, definition, fmr)
    curve = edc(similarity, quality, mated, definition)
    assert curve.discard == pytest.approx([float(x) for x, _ in points], abs=1e-12)
    assert curve.error == pytest.approx([float(y) for _, y in points], abs=1e-12)
    for limit, area in zip(("0.2", "0.3"), pauc(curve), strict=True):
        assert area.raw == pytest.approx(float(slow_area(points, limit, variant.get("linear"))))


@settings(max_examples=60, deadline=None)
@given(PAIRS, st.sampled_from(FMRS))
def test_thresholds_reach_their_fmr_and_no_lower_one_does(pairs, fmr):
    similarity, quality, mated = (np.array(part) for part in zip(*pairs, strict=True))
    impostors = similarity[~mated]
    assume(mated.any() and len(impostors) * float(fmr) >= 1)
    threshold = edc(similarity, quality, mated, Definition(fmr=float(fmr))).threshold[0]
    assert np.mean(impostors >= threshold) <= float(fmr) + 1e-12
    assert np.mean(impostors >= np.nextafter(threshold, -np.inf)) > float(fmr)


def test_order_of_pairs_and_shift_of_quality_do_not_matter():
    rng = np.random.default_rng(3)
    similarity, quality = rng.normal(size=500), rng.integers(0, 20, (500, 2))
    mated = rng.random(500) < 0.5
    definition = Definition(fmr=0.02)
    curve = edc(similarity, quality, mated, definition)
    mixed = rng.permutation(500)
    other = edc(similarity[mixed], 3 * quality[mixed, ::-1] - 7, mated[mixed], definition)
    assert np.array_equal(curve.discard, other.discard)
    assert np.array_equal(curve.error, other.error)
    assert np.array_equal(3 * curve.quality - 7, other.quality)


def test_the_quality_of_a_point_is_the_bar_that_faces_must_pass():
    quality = np.array([[0.9, 0.2], [0.5, 0.6], [0.8, 0.7]])
    curve = edc([0.1, 0.9, 0.2], quality, [1, 1, 1], Definition(threshold=0.5))
    assert curve.quality.tolist() == [0.2, 0.5, 0.7, np.inf]
    kept = [(quality.min(1) >= bar).mean() for bar in curve.quality]
    assert curve.discard == pytest.approx(1 - np.array(kept))
    assert curve.error.tolist() == [2 / 3, 1 / 2, 1, 0]


def test_equal_float32_similarities_fall_on_one_side_of_the_threshold():
    similarity = np.full(20, 0.3, np.float32)
    mated = np.arange(20) < 10
    curve = edc(similarity, np.ones(20), mated, Definition(fmr=0.1))
    assert curve.error.tolist() == [1, 0]  # one match would be ten false ones


def test_steps_hold_and_lines_join():
    pairs = [0.1, 0.9, 0.1, 0.9], [1, 2, 3, 4], [1, 1, 1, 1]
    steps = edc(*pairs, Definition(threshold=0.5))
    lines = edc(*pairs, Definition(threshold=0.5, linear=True))
    assert steps.error_at([0.0, 0.24, 0.25, 1.0]).tolist() == [1 / 2, 1 / 2, 1 / 3, 0]
    assert lines.error_at(0.125) == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert pauc(lines, [1])[0].raw == pytest.approx(0.25 * (1 / 4 + 1 / 3 + 1 / 2))


NAN = np.nan
UNSCORED = [[0.1, 0.2], [NAN, 0.9], [0.5, 0.6], [0.7, NAN]], [0.9, 0.1, 0.1, 0.9], [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("missing", "discard", "error"),
    [("drop", [0, 0.5, 1], [0.5, 1, 0]), ("worst", [0, 0.5, 0.75, 1], [0.5, 0.5, 1, 0])],
)
def test_unscored_faces(missing, discard, error):
    quality, similarity, mated = UNSCORED
    curve = edc(similarity, quality, mated, Definition(threshold=0.5), missing)
    assert curve.discard.tolist() == discard
    assert curve.error.tolist() == error


def test_dropped_non_mated_pairs_do_not_make_the_threshold():
    quality = [[1, 1], [NAN, 1], [1, 1], [1, 1], [1, 1]]
    curve = edc([0.5, 0.9, 0.1, 0.2, 0.3], quality, [1, 0, 0, 0, 0], Definition(fmr=0.4), "drop")
    assert 0.2 < curve.threshold[0] < 0.21


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((UNSCORED[1], UNSCORED[0], UNSCORED[2]), "2 of 4 pairs have a face without quality"),
        (([0.1] * 999, [1.0] * 999, [1] + [0] * 998), "needs 1,000 non-mated pairs or more, .*998"),
        (([0.1], [1.0], [1]), "there are 0"),
        (([0.1], [1.0], [0]), "no mated pairs"),
        (([0.1, NAN], [1, 1], [1, 0]), "1 pairs have no similarity"),
        (([0.1], [1, 1], [1]), "1 pairs, but qualities for 2"),
        (([0.1], [[1, 1, 1]], [1]), r"qualities of shape \(1, 3\)"),
        (([0.1, 0.2], [1, 1], [1]), "similarities of shape"),
        (([0.1], [NAN], [1], None, "drop"), "score these images first"),
        (([0.1], [NAN], [1], None, "skip"), "unknown treatment 'skip'"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(FiqaError, match=message):
        edc(*arguments)


def test_an_fmr_of_one_impostor_is_not_refused():
    curve = edc([0.5, *np.arange(1000) / 1000], np.ones(1001), [1, *[0] * 1000])
    assert curve.threshold[0] == np.nextafter(0.998, 1)


def test_a_share_that_rounds_down_in_binary_is_exact():
    assert 0.29 * 100 < 29
    mated = [1, *[0] * 100]
    curve = edc([0.5, *np.arange(100)], np.ones(101), mated, Definition(fmr=0.29))
    assert curve.threshold[0] == np.nextafter(70, 71)  # 71 to 99 match


@pytest.mark.parametrize(
    "choices",
    [
        {"error": "eer"},
        {"fmr": 0},
        {"fmr": 1},
        {"starting_error": 0},
        {"starting_error": 0.1, "threshold": 0.2},
        {"re_estimated": True, "threshold": 0.2},
        {"re_estimated": True, "error": "fmr"},
    ],
)
def test_choices_that_exclude_each_other(choices):
    with pytest.raises(FiqaError):
        Definition(**choices)


def test_every_choice_is_named():
    texts = {
        str(Definition(**choices))
        for choices in (
            {},
            {"fmr": 1e-4},
            {"error": "fmr"},
            {"linear": True},
            {"re_estimated": True},
            {"threshold": 0.4},
            {"starting_error": 0.4},
        )
    }
    assert len(texts) == 7
    assert "FNMR at FMR 0.001, threshold fixed, stepwise" in texts
