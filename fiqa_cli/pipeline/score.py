"""From prospects to rows with a quality."""

import math
from collections.abc import Iterator

from fiqa_cli.measures.vector import measure
from fiqa_cli.methods.method import Method
from fiqa_cli.pipeline.prospect import Prospect, crops_of, reject
from fiqa_cli.records.row import Row


def score(prospects: list[Prospect], method: Method, *, details: bool = False) -> Iterator[Row]:
    """Score the crops among the prospects as one batch and yield all their rows.

    With `details` the rows get the measures of the crops and the method's components.
    """
    scored = [prospect for prospect in prospects if prospect.crop is not None]
    if scored:
        crops = crops_of(scored)
        scores = method.score(crops)
        quality = scores.quality.tolist()
        components = measure(crops) | dict(scores.components) if details else {}
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
