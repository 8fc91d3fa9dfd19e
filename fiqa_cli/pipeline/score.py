"""From prospects to rows with a quality."""

import math
from collections.abc import Iterator

from fiqa_cli.methods.method import Method
from fiqa_cli.pipeline.prospect import Prospect, crops_of
from fiqa_cli.records.row import Row

NOT_FINITE = "quality is not a finite number; try --precision fp32"


def was_in_batch(row: Row) -> bool:
    """Whether a scored row had a crop."""
    return row.status == "ok" or row.error == NOT_FINITE


def score(prospects: list[Prospect], method: Method, *, details: bool = False) -> Iterator[Row]:
    """Score the crops among the prospects as one batch and yield all their rows.

    With `details` the rows get the method's components.
    """
    scored = [prospect for prospect in prospects if prospect.crop is not None]
    if scored:
        scores = method.score(crops_of(scored))
        quality = scores.quality.tolist()
        components = scores.components if details else {}
        columns = {name: values.tolist() for name, values in components.items()}
        for number, prospect in enumerate(scored):
            row = prospect.row
            if math.isfinite(quality[number]):
                row.quality = quality[number]
            else:
                row.status = "failed"
                row.error = NOT_FINITE
            row.details |= {name: values[number] for name, values in columns.items()}
    for prospect in prospects:
        prospect.row.model = method.name
        yield prospect.row
