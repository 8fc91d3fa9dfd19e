import json

import numpy as np
import pytest

from evaluation.drawn_dataset import dataset, measure
from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation import Definition, bootstrap, compare, edc, pauc
from fiqa_cli.evaluation.comparison import MEAN, Standing
from fiqa_cli.evaluation.comparisons import compare_embeddings, pairs_by_folder
from fiqa_cli.evaluation.report import COLUMNS, to_json, to_rows

AT = Definition(fmr=0.01)


@pytest.fixture(scope="module")
def comparisons():
    _, recognisers, measures = dataset()
    return compare_embeddings(recognisers, pairs_by_folder(recognisers), measures)


@pytest.fixture(scope="module")
def evaluation(comparisons):
    return compare(comparisons, AT, resamples=50, seed=3)


def test_each_figure_is_that_of_one_curve(comparisons, evaluation):
    for one, standing in zip(comparisons, evaluation.standings, strict=False):
        pairs = one.pairs
        for row, (name, quality) in enumerate(one.qualities.items()):
            both = quality[np.column_stack([pairs.first, pairs.second])]
            areas = pauc(edc(one.similarity, both, pairs.mated, AT))
            assert standing.areas["raw"][row].tolist() == [area.raw for area in areas]
            assert standing.areas["above_best"][row].tolist() == [a.above_best for a in areas]
            assert standing.gain[row].tolist() == [area.gain for area in areas]
            drawn = bootstrap(
                one.similarity,
                {name: both},
                pairs.mated,
                pairs.identities[np.column_stack([pairs.first, pairs.second])],
                AT,
                resamples=50,
                seed=3,
            )
            for kind in ("raw", "normalised", "above_best"):
                assert standing.resampled.interval(name, 0.2, kind=kind) == pytest.approx(
                    drawn.interval(name, 0.2, kind=kind)
                )


def test_the_mean_is_over_recognisers_also_in_each_resample(evaluation):
    *single, mean = evaluation.standings
    assert mean.recogniser == MEAN
    for kind, areas in mean.areas.items():
        assert areas == pytest.approx((single[0].areas[kind] + single[1].areas[kind]) / 2)
    low, high = np.quantile(
        (single[0].resampled.raw + single[1].resampled.raw)[:, 0, 1] / 2, (0.025, 0.975)
    )
    assert mean.resampled.interval("noise 0.05", 0.3) == pytest.approx((low, high))


def test_the_better_measure_is_below_the_worse(evaluation):
    mean = evaluation.standings[-1]
    assert mean.ranks("normalised").tolist() == [[1, 1], [2, 2]]
    assert mean.resampled.share_below("noise 0.05", "noise 0.3", 0.3, "normalised") > 0.9


def test_dropped_pairs_are_dropped_for_all():
    paths, recognisers, measures = dataset()
    gap = measure("gap", paths, np.where(np.arange(len(paths)) < 12, np.nan, 1.0))
    found = compare_embeddings(recognisers, pairs_by_folder(recognisers), [*measures, gap])
    with pytest.raises(FiqaError, match="--missing drop"):
        compare(found, AT)
    evaluation = compare(found, AT, missing="drop")
    outcome = evaluation.outcomes[0]
    later = (found[0].pairs.first >= 12) & (found[0].pairs.second >= 12)
    assert outcome.dropped == np.count_nonzero(~later)
    assert outcome.mated == np.count_nonzero(later & found[0].pairs.mated)
    assert {curve.pairs for curve in outcome.curves.values()} == {outcome.mated}
    assert {curve.error[0] for curve in outcome.curves.values()} == {outcome.error}
    worst = compare(found, AT, missing="worst").outcomes[0]
    assert worst.dropped == 0
    assert worst.curves["gap"].quality[0] == -np.inf


def test_other_pairs_give_no_interval_of_the_mean(comparisons):
    other = comparisons[1].of_pairs(np.arange(len(comparisons[1].similarity)) > 0)
    evaluation = compare([comparisons[0], other], AT, resamples=2)
    assert evaluation.standings[0].resampled is not None
    assert evaluation.standings[-1].resampled is None


def test_equal_areas_share_a_place_and_unknown_ones_are_last():
    areas = np.array([[0.3], [0.1], [np.nan], [0.3], [0.2]])
    standing = Standing("r", None, {"raw": areas}, areas, None)
    assert standing.ranks("raw")[:, 0].tolist() == [3, 1, 5, 3, 2]


def test_nothing_to_compare(comparisons):
    with pytest.raises(FiqaError, match="nothing to compare"):
        compare([])
    with pytest.raises(FiqaError, match="not within"):
        compare(comparisons, AT, limits=[1.5])


def test_rows_name_the_definition_and_all_counts(evaluation):
    rows = to_rows(evaluation, "raw")
    assert len(rows) == 3 * 2 * 2
    assert all(tuple(row) == COLUMNS for row in rows)
    assert {row["definition"] for row in rows} == {"FNMR at FMR 0.01, threshold fixed, stepwise"}
    row, outcome = rows[1], evaluation.outcomes[0]
    assert (row["recogniser"], row["measure"], row["limit"]) == ("first", "noise 0.05", 0.3)
    assert row["mated"] == np.count_nonzero(outcome.comparisons.pairs.mated) == 12 * 15
    assert row["low"] < row["raw"] < row["high"]
    curve = outcome.curves["noise 0.05"]
    qualities = outcome.pair_qualities["noise 0.05"][outcome.comparisons.pairs.mated]
    assert np.mean(qualities < row["quality_at_limit"]) <= 0.3
    assert np.mean(qualities <= row["quality_at_limit"]) > 0.3
    assert row["error_at_limit"] == curve.error_at(0.3)
    assert rows[-1]["recogniser"] == MEAN
    assert rows[-1]["threshold"] is None


def test_json_holds_curves_and_comparisons(evaluation):
    document = json.loads(to_json(evaluation, at=[0.1]))
    assert document["definition"]["fmr"] == 0.01
    first, _, mean = document["results"]
    assert first["curves"]["noise 0.3"]["error"][0] == first["error_at_0"]
    assert first["operating_points"][0]["discard"] == 0.1
    shares = {(s["measure"], s["other"]): s["share"] for s in mean["share_below"]}
    one, other = evaluation.measures
    assert shares[one, other] + shares[other, one] <= 1


def test_figures_without_errors_are_null_in_json(comparisons):
    never = Definition(threshold=-1)
    results = json.loads(to_json(compare(comparisons, never)))["results"]
    assert results[0]["areas"][0]["normalised"] is None
    assert results[0]["areas"][0]["rank"] is None
    assert results[0]["areas"][0]["raw"] == 0
