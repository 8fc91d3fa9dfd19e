"""The norm of a face's embedding, a baseline: recognisers tend to give poor faces short ones."""

from collections.abc import Sequence

from torch import Tensor

from fiqa_cli.methods.embedder import Embedder
from fiqa_cli.methods.method import Scores


class EmbeddingNorm:
    """Euclidean length of the embedding, as AdaFace (CVPR 2022) takes it for a quality."""

    components: Sequence[str] = ()

    def __init__(self, name: str, embedder: Embedder) -> None:
        self.name = name
        self.precision: str = embedder.precision
        self.batch_size = embedder.batch_size
        self._embedder = embedder

    def score(self, crops: Tensor) -> Scores:
        """Score aligned RGB crops, uint8 `[N, 3, 112, 112]`; quality 0 or more, no upper bound."""
        return Scores(self._embedder.embed(crops).norm(dim=1))
