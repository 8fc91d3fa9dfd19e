"""The recogniser under a method: faces in, embeddings out, with gradients where they are asked."""

import torch
from torch import Tensor, nn

from fiqa_cli.methods.precision import Precision, dtype
from fiqa_cli.networks.folding import fold
from fiqa_cli.zoo.model import Preprocessing


class Recogniser:
    """A recognition network, folded and laid out for one device."""

    def __init__(
        self,
        network: nn.Module,
        preprocessing: Preprocessing,
        device: torch.device,
        precision: Precision,
        *,
        compile: bool = False,
    ) -> None:
        """Take over `network` (crops `[N, 3, 112, 112]` to embeddings `[N, D]`) for inference.

        It gets its crops as `preprocessing` says; `precision` is not `auto`.
        """
        folded = fold(network).to(device, dtype(precision)).requires_grad_(False)
        self._network: nn.Module = folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if compile:
            self._network.compile(dynamic=False)
        self._dtype = dtype(precision)
        mean, deviation = (
            torch.tensor(values, device=device).reshape(1, 3, 1, 1)
            for values in (preprocessing.mean, preprocessing.std)
        )
        self._scale, self._shift = 0.5 / deviation, (0.5 - mean) / deviation
        self._bgr = preprocessing.colour == "BGR"

    def __call__(self, faces: Tensor) -> Tensor:
        """Embed faces, float32 `[N, 3, 112, 112]` RGB in [-1, 1], as float32 `[N, D]`.

        Values may lie outside the range, as noise makes them. Not normalised.
        """
        if self._bgr:
            faces = faces.flip(1)
        pixels = faces * self._scale + self._shift
        embedding: Tensor = self._network(pixels.to(self._dtype, memory_format=torch.channels_last))
        return embedding.float()
