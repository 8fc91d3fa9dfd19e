from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import rcParams
from PIL import Image

from evaluation.drawn_dataset import dataset, measure
from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation import Definition, compare
from fiqa_cli.evaluation.comparisons import compare_embeddings, pairs_by_folder
from fiqa_cli.evaluation.plots import draw_curves, draw_histograms, write_plots


def evaluate(measures=None, **options):
    _, recognisers, drawn = dataset()
    recognisers = {"a/b": recognisers["first"], "a:b": recognisers["second"]}
    pairs = pairs_by_folder(recognisers)
    found = compare_embeddings(recognisers, pairs, measures or drawn)
    return compare(found, Definition(fmr=0.01), **options)


def test_files_are_whole_and_the_same_each_time(tmp_path):
    evaluation = evaluate()
    before = dict(rcParams)
    written = write_plots(evaluation, tmp_path / "new" / "plots")
    assert dict(rcParams) == before
    expected = [
        f"{plot}-{name}{suffix}"
        for name in ("a_b", "a_b-2")
        for plot in ("edc", "quality", "similarity")
        for suffix in (".png", ".svg")
    ]
    assert [path.name for path in written] == expected
    again = write_plots(evaluation, tmp_path / "again")
    for path, other in zip(written, again, strict=True):
        assert path.read_bytes() == other.read_bytes()
        if path.suffix == ".svg":
            assert ElementTree.parse(path).getroot().tag.endswith("svg")
        else:
            with Image.open(path) as image:
                assert min(image.size) > 300
                assert np.asarray(image.convert("L")).std() > 5


def test_many_curves_differ_in_more_than_colour():
    paths, *_ = dataset()
    rng = np.random.default_rng(0)
    measures = [measure(f"m{n}", paths, rng.random(len(paths))) for n in range(12)]
    evaluation = evaluate(measures)
    (axes,) = draw_curves(evaluation, evaluation.outcomes[0]).axes
    drawn = {
        line.get_label().split()[0]: line for line in axes.lines if line.get_marker() != "None"
    }
    assert set(drawn) == {f"m{n}" for n in range(12)}
    looks = [(line.get_marker(), line._dash_pattern[1]) for line in drawn.values()]
    assert all(a != b for a, b in combinations(looks, 2))


def test_curves_are_drawn_as_they_are():
    evaluation = evaluate()
    outcome = evaluation.outcomes[0]
    (axes,) = draw_curves(evaluation, outcome).axes
    curve = outcome.curves["noise 0.05"]
    line = next(each for each in axes.lines if each.get_label().startswith("noise 0.05"))
    assert line.get_drawstyle() == "steps-post"
    inside = curve.discard <= 0.6
    x, y = line.get_data()
    assert x[:-1].tolist() == curve.discard[inside].tolist()
    assert y[:-1].tolist() == curve.error[inside].tolist()
    best = next(each for each in axes.lines if each.get_label() == "theoretical best")
    assert np.interp(0.05, *best.get_data()) == pytest.approx(outcome.error - 0.05)


def test_faces_of_the_pairs_are_counted_once():
    evaluation = evaluate(limits=[0.25])
    outcome = evaluation.outcomes[0]
    axes = draw_histograms(evaluation, outcome).axes[0]
    counted = sum(patch.get_height() for patch in axes.patches)
    assert 0.95 * 72 < counted <= 72  # the outermost are not drawn
    (bar,) = [line.get_xdata()[0] for line in axes.lines]
    assert bar == outcome.curves["noise 0.05"].quality_at(0.25)


def test_qualities_that_are_all_one_or_missing_are_drawn(tmp_path):
    paths, _, measures = dataset()
    flat = measure("flat", paths, np.ones(len(paths)))
    gaps = measure("gaps", paths, np.where(np.arange(len(paths)) % 2, np.nan, 1.0))
    assert len(write_plots(evaluate([gaps, flat, *measures], missing="worst"), tmp_path)) == 12


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FiqaError, match="cannot write"):
        write_plots(evaluate(), tmp_path / "file")
