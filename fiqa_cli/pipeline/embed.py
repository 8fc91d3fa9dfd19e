"""From prospects to rows with an embedding."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.methods.embedder import Embedder
from fiqa_cli.pipeline.prospect import Prospect, crops_of, reject
from fiqa_cli.records.row import Row

Embedded = tuple[Row, NDArray[np.float32] | None]
"""A row and, if its status is `ok`, the embedding of its face, `[D]`."""


def embed(prospects: list[Prospect], embedder: Embedder) -> Iterator[Embedded]:
    """Embed the crops among the prospects as one batch and yield all their rows."""
    seen = [prospect for prospect in prospects if prospect.crop is not None]
    found = iter(embedder.embed(crops_of(seen)).numpy() if seen else ())
    for prospect in prospects:
        row = prospect.row
        embedding = None if prospect.crop is None else next(found)
        if embedding is not None and not np.isfinite(embedding).all():
            embedding = None
            reject(row, "the embedding")
        yield row, embedding
