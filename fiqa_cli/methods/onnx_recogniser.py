"""A recogniser that comes as an ONNX file: embeddings in fp32, without gradients."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fiqa_cli.zoo.model import Preprocessing


class OnnxRecogniser:
    """Called as a `Recogniser` is."""

    def __init__(
        self,
        network: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        preprocessing: Preprocessing,
    ) -> None:
        """`network` maps `[N, 3, 112, 112]`, as `preprocessing` says, to embeddings `[N, D]`."""
        self._network = network
        self._mean, self._deviation = (
            torch.tensor(values).reshape(1, 3, 1, 1)
            for values in (preprocessing.mean, preprocessing.std)
        )
        self._bgr = preprocessing.colour == "BGR"

    def __call__(self, faces: Tensor) -> Tensor:
        """Embed faces, float32 `[N, 3, 112, 112]` RGB in [-1, 1], as float32 `[N, D]`.

        Values may lie outside the range, as noise makes them. Not normalised.
        """
        seen = faces.detach().cpu()
        pixels = ((seen.flip(1) if self._bgr else seen) / 2 + 0.5 - self._mean) / self._deviation
        return torch.from_numpy(self._network(pixels.numpy())).to(faces.device)
