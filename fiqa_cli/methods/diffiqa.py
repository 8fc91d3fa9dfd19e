"""DifFIQA (Babnik, Peer, Štruc, IJCB 2023): how well a face's embedding survives diffusion."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.device import cores
from fiqa_cli.methods.method import Scores
from fiqa_cli.methods.noise import normal
from fiqa_cli.methods.portions import Portions
from fiqa_cli.methods.precision import Precision, dtype
from fiqa_cli.networks.diffusion import STEPS, add_noise, restore
from fiqa_cli.networks.unet import UNet, for_inference

CPU_PORTION = 5
GPU_MOST = 512
BLOCK = 2
"""Copies that every face gets before its standard error is looked at again."""
FEWEST = 4
"""Copies from which the standard error is believed."""

Draws = Callable[[Tensor, int], Tensor]
"""From a crop, uint8 `[3, 112, 112]`, and the number of a copy to all its noise, standard normal
`[2, timestep, 3, 112, 112]`: for the face and for its mirror image, first the forward noise, then
that of each step of the restoration."""


@dataclass(frozen=True)
class Diffusion:
    """The parameters of DifFIQA, with the values of the paper."""

    copies: int = 10
    """Noised copies of the face, and as many of its mirror image; the most with `until_se`."""
    timestep: int = 5
    """Time step that they are noised to, 1 to 999."""
    until_se: float | None = None
    """Standard error of the quality at which a face gets no more copies."""

    def __post_init__(self) -> None:
        if not 1 <= self.timestep < STEPS:
            raise FiqaError(f"a time step is between 1 and {STEPS - 1}, not {self.timestep}")
        if self.copies < 1 or (self.until_se is not None and self.copies < FEWEST):
            raise FiqaError(f"too few copies: give 1, with a standard error {FEWEST}, or more")


class DifFIQA:
    """Mean cosine of a face's embedding to those of its noised, restored and mirrored images.

    The quality is the mean of five terms, each a mean over the copies: the cosine to the noised
    face, to the restored one, to the noised and the restored mirror image, and to the mirror
    image itself. `standard_error` is that of the quality over the copies.
    """

    components: Sequence[str] = (
        "noisy",
        "reconstructed",
        "noisy_flipped",
        "reconstructed_flipped",
        "flipped",
        "standard_error",
        "copies",
    )

    def __init__(
        self,
        name: str,
        unet: UNet,
        recogniser: Callable[[Tensor], Tensor],
        device: torch.device,
        precision: Precision,
        diffusion: Diffusion | None = None,
        draws: Draws | None = None,
        *,
        seed: int = 0,
        batch_size: int | None = None,
        compile: bool = False,
    ) -> None:
        """Take over `unet` for inference on `device`; noise comes from `draws`, else from `seed`.

        `recogniser` embeds faces, float32 `[N, 3, 112, 112]` RGB about [-1, 1], as `[N, D]`.
        The U-Net runs in `precision`, which is not `auto`, the diffusion around it in fp32.
        """
        self.name = name
        self.precision: str = precision
        self._device = device
        self._dtype = dtype(precision)
        network = for_inference(unet).to(device, self._dtype)
        self._unet: UNet = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if compile:
            self._unet.compile(dynamic=False)
        self._recogniser = recogniser
        self._diffusion = diffusion = diffusion or Diffusion()
        self._draws = draws or partial(content_draws, seed=seed, timestep=diffusion.timestep)
        # Two, because a GPU has room for more embeddings than visits of the U-Net at once.
        self._embeddings = Portions(device, CPU_PORTION, GPU_MOST)
        self._visits = Portions(device, CPU_PORTION, GPU_MOST)
        self.batch_size = batch_size or (2 * cores() if device.type == "cpu" else 32)

    def score(self, crops: Tensor) -> Scores:
        """Score aligned RGB crops, uint8 `[N, 3, 112, 112]`; quality in [-1, 1]."""
        faces = len(crops)
        embeddings = self._embeddings.run(self._embed, torch.cat((crops, crops.flip(-1))))
        embedding, mirrored = embeddings[:faces], embeddings[faces:]
        flipped = F.cosine_similarity(embedding, mirrored).cpu()

        cosines = torch.zeros(faces, self._diffusion.copies, 4)
        taken = torch.zeros(faces, dtype=torch.int64)
        active = torch.arange(faces)
        for first, last in self._blocks():
            if not len(active):
                break
            number = active.repeat_interleave(last - first)
            copy = torch.arange(first, last).repeat(len(active))

            def visit(number: Tensor, copy: Tensor) -> Tensor:
                return self._cosines(crops, embedding, number, copy)

            cosines[number, copy] = self._visits.run(visit, number, copy).cpu()
            taken[active] = last
            if self._diffusion.until_se is not None and last >= FEWEST:
                error = standard_error(cosines[active], taken[active])
                active = active[error > self._diffusion.until_se]
        # A mean over the copies taken: the rest is 0.
        terms = cosines.sum(1) / taken[:, None]
        quality = (terms.sum(1) + flipped) / 5
        values = (*terms.unbind(1), flipped, standard_error(cosines, taken), taken.float())
        return Scores(quality, dict(zip(self.components, values, strict=True)))

    def _blocks(self) -> Sequence[tuple[int, int]]:
        """First and last copy (exclusive) of each round."""
        copies = self._diffusion.copies
        size = copies if self._diffusion.until_se is None else BLOCK
        return [(first, min(first + size, copies)) for first in range(0, copies, size)]

    @torch.no_grad()
    def _embed(self, crops: Tensor) -> Tensor:
        return self._recogniser(self._to_faces(crops))

    @torch.no_grad()
    def _cosines(self, crops: Tensor, embedding: Tensor, number: Tensor, copy: Tensor) -> Tensor:
        """Cosines `[R, 4]` for rows of a face's number and a copy's: noisy and restored, both
        again of the mirror image."""
        rows = zip(number.tolist(), copy.tolist(), strict=True)
        draws = torch.stack([self._draws(crops[i], j) for i, j in rows])
        # [R, 2, timestep, ...] to [timestep, 2 R, ...]: rows of faces, then of mirror images.
        noise = draws.permute(2, 1, 0, 3, 4, 5).flatten(1, 2).to(self._device, non_blocking=True)
        faces = self._to_faces(crops[number])
        noisy = add_noise(torch.cat((faces, faces.flip(-1))), self._diffusion.timestep, noise[0])
        restored = restore(self._denoise, noisy, self._diffusion.timestep, lambda step: noise[step])
        wanted = embedding[number.to(embedding.device)].repeat(4, 1)
        found = self._recogniser(torch.cat((noisy, restored)))
        cosines = F.cosine_similarity(found, wanted)
        # In the order noisy, noisy flipped, restored, restored flipped.
        return cosines.reshape(4, -1)[[0, 2, 1, 3]].T

    def _denoise(self, noised: Tensor, time: Tensor) -> Tensor:
        pixels = noised.to(self._dtype, memory_format=torch.channels_last)
        clean: Tensor = self._unet(pixels, time)
        return clean.float()

    def _to_faces(self, crops: Tensor) -> Tensor:
        return crops.to(self._device, non_blocking=True).float() / 127.5 - 1


def content_draws(crop: Tensor, copy: int, *, seed: int, timestep: int) -> Tensor:
    """The noise of a copy, made from `seed` and the crop's content: `Draws`."""
    return normal(crop, seed, copy, 2 * timestep).view(2, timestep, *crop.shape)


def standard_error(cosines: Tensor, taken: Tensor) -> Tensor:
    """Standard error `[N]` of qualities over copies; nan for a face with a single copy.

    `cosines` is `[N, copies, 4]`, of which only the first `taken` `[N]` copies count. The fifth
    term of the quality, the cosine to the mirror image, is the same for every copy.
    """
    quality = cosines.sum(2) / 5
    counted = torch.arange(cosines.shape[1]) < taken[:, None]
    mean = (quality * counted).sum(1, keepdim=True) / taken[:, None]
    variance = ((quality - mean).square() * counted).sum(1) / (taken - 1)
    return (variance / taken).sqrt()
