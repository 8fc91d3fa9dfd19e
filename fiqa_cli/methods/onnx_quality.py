"""Quality networks that come as an ONNX file: the public exports of eDifFIQA."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fiqa_cli.methods.distilled import normalise
from fiqa_cli.methods.method import Scores

BATCH = 32


class OnnxQuality:
    """A network in ONNX Runtime, always in fp32."""

    precision: str = "fp32"
    components: Sequence[str] = ()

    def __init__(
        self,
        name: str,
        network: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        batch_size: int | None = None,
    ) -> None:
        """`network` maps float32 crops `[N, 3, 112, 112]` in [-1, 1] to qualities `[N]`."""
        self.name = name
        self.batch_size = batch_size or BATCH
        self._network = network

    def score(self, crops: Tensor) -> Scores:
        """Score aligned RGB crops, uint8 `[N, 3, 112, 112]`; quality on the network's raw scale."""
        parts = [
            self._network(normalise(part).numpy()) for part in torch.split(crops, self.batch_size)
        ]
        return Scores(torch.from_numpy(np.concatenate(parts)))
