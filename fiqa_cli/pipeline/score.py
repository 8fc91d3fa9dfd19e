"""From prospects to rows with a quality."""

import math
from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np
import torch
from torch import Tensor

from fiqa_cli.measures.vector import MEASURES, measure
from fiqa_cli.methods.method import Method
from fiqa_cli.methods.portions import Portions
from fiqa_cli.pipeline.jitter import jitter_columns
from fiqa_cli.pipeline.prospect import Prospect, crops_of, reject
from fiqa_cli.records.row import Row

MEASURED = 16
"""Crops that a thread measures at once."""


def score(prospects: list[Prospect], method: Method, *, details: bool = False) -> Iterator[Row]:
    """Score the crops among the prospects as one batch and yield all their rows.

    With `details` the rows get the measures of the crops and the method's components, and where
    the prospects have jittered crops the spread of the quality over them.
    """
    scored = [prospect for prospect in prospects if prospect.crop is not None]
    if scored:
        crops = crops_of(scored)
        scores = method.score(crops)
        quality = scores.quality.tolist()
        components = {**_measured(crops), **scores.components} if details else {}
        jittered = [prospect.jittered for prospect in scored if prospect.jittered is not None]
        if jittered:
            components |= jitter_columns(method, np.stack(jittered))
        columns = {name: values.tolist() for name, values in components.items()}
        for number, prospect in enumerate(scored):
            row = prospect.row
            if math.isfinite(quality[number]):
                row.quality = quality[number]
            else:
                reject(row, "the quality")
            row.details |= {name: values[number] for name, values in columns.items()}
    for prospect in prospects:
        prospect.row.model = method.name
        yield prospect.row


def _measured(crops: Tensor) -> Mapping[str, Tensor]:
    """`measure`, each portion in a thread of its own: they are too small to be split further."""
    rows = _portions().run(lambda part: torch.stack(tuple(measure(part).values()), 1), crops)
    return dict(zip(MEASURES, rows.unbind(1), strict=True))


@cache
def _portions() -> Portions:
    return Portions(torch.device("cpu"), MEASURED)
