"""Sharpness of the crop, a baseline: variance of the Laplacian (Pech-Pacheco et al., ICPR 2000)."""

from collections.abc import Sequence

from torch import Tensor

from fiqa_cli.measures.detail import grey_levels, sharpness
from fiqa_cli.methods.method import Scores

BATCH = 64


class Sharpness:
    """The measure of that name as a quality: 0 for a flat crop; noise counts as sharpness."""

    name = "sharpness"
    precision: str = "fp32"
    components: Sequence[str] = ()

    def __init__(self, batch_size: int | None = None) -> None:
        self.batch_size = batch_size or BATCH

    def score(self, crops: Tensor) -> Scores:
        """Score aligned RGB crops, uint8 `[N, 3, 112, 112]`; quality in grey levels squared."""
        return Scores(sharpness(grey_levels(crops)))
