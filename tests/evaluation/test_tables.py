import io

import numpy as np
import pytest

from evaluation.drawn_dataset import dataset
from fiqa_cli.evaluation import Definition, compare
from fiqa_cli.evaluation.comparisons import compare_embeddings, pairs_by_folder
from fiqa_cli.evaluation.tables import print_tables
from fiqa_cli.evaluation.terminal_plot import draw_curves


@pytest.fixture(scope="module")
def evaluation():
    _, recognisers, measures = dataset(noise=(0.05, 0.3, 1, 2))
    found = compare_embeddings(recognisers, pairs_by_folder(recognisers), measures)
    return compare(found, Definition(fmr=0.01), resamples=20)


def is_number(word):
    return word.replace(".", "", 1).replace("-", "", 1).isdigit()


def printed(evaluation, **options):
    stream = io.StringIO()
    print_tables(evaluation, stream, **options)
    return stream.getvalue()


def test_the_best_three_are_marked_without_colour(evaluation):
    text = printed(evaluation)
    assert "\x1b" not in text
    first = evaluation.standings[0]
    ranks = first.ranks("normalised")
    for row, name in enumerate(evaluation.measures):
        line = next(line for line in text.splitlines() if line.startswith(f"{name} "))
        place, area = ranks[row, 0], first.areas["normalised"][row, 0]
        assert f"{area:.4f}" + (f" ({place})" if place < 4 else " ") in line
        low, high = first.resampled.interval(name, 0.2, kind="normalised")
        assert f"[{low:.4f}, {high:.4f}]" in line
    assert "(4)" not in text


def test_a_table_names_what_it_shows(evaluation):
    text = printed(evaluation, kind="raw")
    assert "FNMR at FMR 0.01, threshold fixed, stepwise; faces without quality: error" in text
    assert "pAUC raw, less is better" in text
    assert "95% of 20 resamples of identities, seed 0" in text
    outcome = evaluation.outcomes[0]
    assert f"first: {outcome.mated:,} mated and {outcome.non_mated:,} non-mated pairs" in text
    assert f"threshold {outcome.threshold:.4f}, FNMR(0) {outcome.error:.4f}" in text
    assert "mean over 2 recognisers" in text


def test_shares_of_discarded_pairs(evaluation):
    text = printed(evaluation, at=[0.1])
    curve = evaluation.outcomes[0].curves["noise 1"]
    assert f"{float(curve.error_at(0.1)):.4f}" in text
    bar = float(curve.quality_at(0.1))
    assert any(np.float32(word) == np.float32(bar) for word in text.split() if is_number(word))
    assert "FNMR at 10%" not in printed(evaluation)


def test_what_is_unknown_is_not_marked():
    _, recognisers, measures = dataset()
    found = compare_embeddings(recognisers, pairs_by_folder(recognisers), measures)
    never = compare(found, Definition(threshold=-1))
    assert "nan" in printed(never)
    assert all("(" not in line for line in printed(never).splitlines() if " nan" in line)


@pytest.mark.parametrize("colour", [False, True])
def test_curves_on_a_terminal(evaluation, colour):
    text = draw_curves(evaluation.outcomes[0], 0.6, width=90, colour=colour)
    assert ("\x1b" in text) == colour
    for name, marker in zip(evaluation.measures, "ox+*", strict=True):
        assert name in text
        assert text.count(marker) > 10
    assert colour or max(map(len, text.splitlines())) <= 90
