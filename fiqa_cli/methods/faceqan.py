"""FaceQAN (Babnik, Peer, Štruc, ICPR 2022): how little an adversary can move a face's embedding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from fiqa_cli.methods.device import cores
from fiqa_cli.methods.method import Scores
from fiqa_cli.methods.noise import uniform
from fiqa_cli.methods.portions import Portions
from fiqa_cli.methods.precision import Precision
from fiqa_cli.methods.recogniser import Recogniser

CPU_PORTION = 16
"""Adversarial examples that a thread of a CPU takes at once, at most."""
GPU_MOST = 2048

Start = Callable[[Tensor, int], Tensor]
"""From a crop, uint8 `[3, 112, 112]`, and the number of a copy to noise in [-1, 1)."""


@dataclass(frozen=True)
class Attack:
    """The parameters of FaceQAN, by the names and with the values of the paper."""

    copies: int = 10
    """k: adversarial examples per face."""
    iterations: int = 5
    """l: steps of the basic iterative method."""
    epsilon: float = 0.001
    """ε: size of a step and of the first noise, of pixels in [0, 1]."""
    exponent: float = 5.0
    """p: power that the quality is raised to."""


class FaceQAN:
    """Stability of the embedding under adversarial noise, times its symmetry under mirroring.

    Quality = ((1 + μ) / 2 · clip(1 − σ, 0, 1) · s)^p, where μ and σ are mean and deviation of the
    cosines of all adversarial examples, at all iterations, to the face, and s is the cosine to
    the mirrored face. Where s is negative, so is the quality, as long as p is odd.
    """

    components: Sequence[str] = ("adversarial_mean", "adversarial_deviation", "symmetry")

    def __init__(
        self,
        name: str,
        recogniser: Recogniser,
        device: torch.device,
        precision: Precision,
        attack: Attack | None = None,
        start: Start | None = None,
        *,
        seed: int = 0,
        batch_size: int | None = None,
    ) -> None:
        """Attack `recogniser` on `device`; the first noise comes from `start`, else from `seed`."""
        self.name = name
        self.precision: str = precision
        self._device = device
        self._recogniser = recogniser
        self._attack = attack or Attack()
        self._start = start or (lambda crop, copy: uniform(crop, seed, copy))
        # Two, because a GPU has room for more embeddings than attacks at once.
        self._embeddings = Portions(device, CPU_PORTION, GPU_MOST)
        # None with copies of two faces: the attack follows signs of slopes near 0, so that the
        # rounding, which depends on the portion, shows in the quality.
        copies = self._attack.copies
        portion = max(size for size in range(1, CPU_PORTION + 1) if copies % size == 0)
        self._attacks = Portions(device, portion, GPU_MOST)
        self.batch_size = batch_size or (2 * cores() if device.type == "cpu" else 64)

    def score(self, crops: Tensor) -> Scores:
        """Score aligned RGB crops, uint8 `[N, 3, 112, 112]`; quality in [-1, 1]."""
        faces, copies = len(crops), self._attack.copies
        embeddings = self._embeddings.run(self._embed, torch.cat((crops, crops.flip(-1))))
        embedding, mirrored = embeddings[:faces], embeddings[faces:]
        symmetry = F.cosine_similarity(embedding, mirrored).cpu().double()
        number = torch.arange(faces).repeat_interleave(copies)
        copy = torch.arange(copies).repeat(faces)

        def attack(number: Tensor, copy: Tensor) -> Tensor:
            noise = [
                self._start(crops[i], j)
                for i, j in zip(number.tolist(), copy.tolist(), strict=True)
            ]
            return self._cosines(crops[number], torch.stack(noise), embedding[number])

        cosines = self._attacks.run(attack, number, copy).cpu().double()
        cosines = cosines.reshape(faces, -1)
        mean, deviation = cosines.mean(1), cosines.std(1, correction=0)
        base = (1 + mean) / 2 * (1 - deviation).clamp(0, 1) * symmetry
        quality = base.abs().pow(self._attack.exponent).copysign(base)
        return Scores(
            quality.float(),
            {
                name: values.float()
                for name, values in zip(self.components, (mean, deviation, symmetry), strict=True)
            },
        )

    @torch.no_grad()
    def _embed(self, crops: Tensor) -> Tensor:
        return self._recogniser(crops.to(self._device, non_blocking=True).float() / 127.5 - 1)

    def _cosines(self, crops: Tensor, noise: Tensor, embedding: Tensor) -> Tensor:
        """Cosines `[N, iterations]` of the adversarial examples to `embedding`, `[N, D]`."""
        step = self._attack.epsilon
        pixels = crops.to(self._device, non_blocking=True).float() / 255
        noisy = (pixels + step * noise.to(self._device, non_blocking=True)).clamp(-1, 1)
        cosines = []
        for iteration in range(self._attack.iterations):
            # The last step would lead to an example that nobody looks at.
            last = iteration == self._attack.iterations - 1
            with torch.set_grad_enabled(not last):
                noisy.requires_grad_(not last)
                cosine = F.cosine_similarity(self._recogniser(noisy * 2 - 1), embedding)
                cosines.append(cosine.detach())
                if not last:
                    (slope,) = torch.autograd.grad(cosine.sum(), noisy)
                    # Against the slope: the cosine is to fall. The bounds are the reference's.
                    noisy = (noisy.detach() - step * slope.sign()).clamp(-1, 1)
        return torch.stack(cosines, 1)
