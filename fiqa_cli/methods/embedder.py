"""Crops through a recogniser, in batches that suit the device."""

import torch
from torch import Tensor

from fiqa_cli.methods.device import cores
from fiqa_cli.methods.distilled import normalise
from fiqa_cli.methods.loaded_recogniser import LoadedRecogniser
from fiqa_cli.methods.portions import Portions

CPU_PORTION = 8
"""Crops a CPU thread takes at once."""
GPU_BATCH = 256


class Embedder:
    """A recogniser that embeds batches of crops."""

    def __init__(
        self,
        recogniser: LoadedRecogniser,
        device: torch.device,
        batch_size: int | None = None,
        *,
        with_flip: bool = False,
    ) -> None:
        """Embed by `recogniser`; `with_flip` appends the embedding of the mirrored crop."""
        self.precision: str = recogniser.precision
        self._recogniser = recogniser.network
        self._with_flip = with_flip
        self._device = device
        if device.type == "cpu":
            self.batch_size = batch_size or CPU_PORTION * cores() * 4
            portion = min(CPU_PORTION, self.batch_size)
        else:
            self.batch_size = portion = batch_size or GPU_BATCH
        self._portions = Portions(device, portion)

    def embed(self, crops: Tensor) -> Tensor:
        """Embed aligned RGB crops, uint8 `[N, 3, 112, 112]`, N ≥ 1.

        Float32 `[N, D]` on the CPU, not normalised; with the flip `[N, 2 D]`.
        """
        return self._portions.run(self._embed, crops)

    @torch.no_grad()
    def _embed(self, crops: Tensor) -> Tensor:
        faces = normalise(crops.to(self._device, non_blocking=True))
        found = self._recogniser(faces)
        if self._with_flip:
            found = torch.cat((found, self._recogniser(faces.flip(-1))), dim=1)
        return found.cpu()
