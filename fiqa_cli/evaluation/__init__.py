"""Evaluation of qualities: pairs of faces, error-versus-discard curves and the areas below them.

    curve = edc(similarity, quality, mated, Definition(fmr=1e-4))
    at_20_percent, at_30_percent = pauc(curve)

The readers of pairs are modules of their own: `lfw_pairs`, `pair_list`, `drawn_pairs`, `template`
and `bin_set`.
"""

# Not lazy: importing a submodule sets the package's attribute of that name, so `edc` must be
# bound to the function once the submodule is there.
from fiqa_cli.evaluation.bootstrap import Bootstrap, bootstrap
from fiqa_cli.evaluation.definition import Definition
from fiqa_cli.evaluation.edc import Curve, edc
from fiqa_cli.evaluation.pauc import Area, pauc

__all__ = ["Area", "Bootstrap", "Curve", "Definition", "bootstrap", "edc", "pauc"]
