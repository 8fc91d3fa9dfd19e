"""Evaluation of qualities: pairs of faces, error-versus-discard curves and the areas below them.

    curve = edc(similarity, quality, mated, Definition(fmr=1e-4))
    at_20_percent, at_30_percent = pauc(curve)

Or everything from files, as `fiqa evaluate` does:

    inputs = Inputs(reports=[Path("scores.csv")], embeddings=[Path("r50.npz")], by_folder=True)
    evaluation = compare(read_inputs(inputs), resamples=1000)
    evaluation.standings[0].areas["normalised"]  # measures, limits

The readers of pairs are modules of their own: `lfw_pairs`, `pair_list`, `drawn_pairs`, `template`
and `bin_set`; `protocol` chooses among them.
"""

# Not lazy: importing a submodule sets the package's attribute of that name, so `edc` must be
# bound to the function once the submodule is there.
from fiqa_cli.evaluation.bootstrap import Bootstrap, bootstrap
from fiqa_cli.evaluation.comparison import Evaluation, Outcome, compare
from fiqa_cli.evaluation.comparisons import Comparisons, compare_embeddings
from fiqa_cli.evaluation.definition import Definition
from fiqa_cli.evaluation.edc import Curve, edc
from fiqa_cli.evaluation.inputs import Inputs, read_inputs
from fiqa_cli.evaluation.measures import Measure, read_measures
from fiqa_cli.evaluation.pauc import Area, pauc

__all__ = [
    "Area",
    "Bootstrap",
    "Comparisons",
    "Curve",
    "Definition",
    "Evaluation",
    "Inputs",
    "Measure",
    "Outcome",
    "bootstrap",
    "compare",
    "compare_embeddings",
    "edc",
    "pauc",
    "read_inputs",
    "read_measures",
]
