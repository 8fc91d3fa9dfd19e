"""FaceQAN against the official implementation, a plain definition, and itself in other batches."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fiqa_cli.methods.faceqan import Attack, FaceQAN
from fiqa_cli.methods.precision import Precision
from fiqa_cli.methods.recogniser import Recogniser
from fiqa_cli.networks.iresnet import iresnet18
from fiqa_cli.zoo.model import Preprocessing
from golden.official import GOLDEN
from methods.small import CPU, HALF, SmallRecogniser, assert_independent, random_crops
from networks.rule import crops, fill


def recogniser(network: torch.nn.Module, preprocessing: Preprocessing = HALF) -> Recogniser:
    return Recogniser(network, preprocessing, CPU, Precision.FP32)


def test_golden_parity() -> None:
    golden = GOLDEN["faceqan"]
    images = torch.from_numpy(crops()[:2]).permute(0, 3, 1, 2)
    generators = [np.random.default_rng(50 + number) for number in range(2)]
    # The reference draws copy after copy; the method asks in any order.
    noise = [[r.uniform(-1, 1, (3, 112, 112)) for _ in range(golden["copies"])] for r in generators]

    def start(crop: Tensor, copy: int) -> Tensor:
        number = next(i for i, image in enumerate(images) if torch.equal(image, crop))
        return torch.from_numpy(noise[number][copy]).float()

    attack = Attack(golden["copies"], golden["iterations"], golden["epsilon"], golden["exponent"])
    method = FaceQAN("faceqan", recogniser(fill(iresnet18())), CPU, Precision.FP32, attack, start)
    scores = method.score(images)
    for name, key in (
        ("adversarial_mean", "similarity_mean"),
        ("adversarial_deviation", "similarity_std"),
        ("symmetry", "symmetry"),
    ):
        expected = torch.tensor([image[key] for image in golden["images"]])
        # The deviation is that of numbers near 1, known to 1e-7: 3e-4 of itself.
        tolerance = 1e-3 if name == "adversarial_deviation" else 1e-4
        torch.testing.assert_close(scores.components[name], expected, rtol=tolerance, atol=0)
    expected = torch.tensor([image["quality"] for image in golden["images"]])
    torch.testing.assert_close(scores.quality, expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("copies", "iterations", "epsilon", "exponent"), [(1, 1, 0.01, 1.0), (3, 4, 0.02, 2.5)]
)
def test_every_parameter_counts(
    copies: int, iterations: int, epsilon: float, exponent: float
) -> None:
    """Against the definition, one example at a time, on pixels in [0, 1]."""
    network, batch = SmallRecogniser(), random_crops(2, seed=3)
    attack = Attack(copies, iterations, epsilon, exponent)
    method = FaceQAN("f", recogniser(network), CPU, Precision.FP32, attack, seed=5)
    found = method.score(batch)

    def embed(pixels: Tensor) -> Tensor:
        return network((pixels[None] - 0.5) / 0.5)[0]

    for number, crop in enumerate(batch):
        image, cosines = crop / 255, []
        anchor = embed(image).detach()
        for copy in range(copies):
            noisy = image + epsilon * method._start(crop, copy)
            for _ in range(iterations):
                noisy = noisy.detach().requires_grad_()
                cosine = torch.cosine_similarity(embed(noisy), anchor, dim=0)
                (1 - cosine).backward()
                cosines.append(cosine.item())
                assert noisy.grad is not None
                noisy = torch.clamp(noisy + epsilon * noisy.grad.sign(), -1, 1)
        symmetry = torch.cosine_similarity(embed(image.flip(-1)), anchor, dim=0).item()
        base = (1 + np.mean(cosines)) / 2 * np.clip(1 - np.std(cosines), 0, 1) * symmetry
        expected = np.sign(base) * abs(base) ** exponent
        # Where a gradient is almost 0, rounding decides its sign.
        assert found.quality[number].item() == pytest.approx(expected, rel=2e-2)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 9), st.integers(0, 1000), st.randoms(use_true_random=False))
def test_scores_depend_on_neither_batch_nor_order(count: int, seed: int, random) -> None:
    attack = Attack(copies=3, iterations=2)
    method = FaceQAN("f", recogniser(SmallRecogniser()), CPU, Precision.FP32, attack)
    assert_independent(method, count, seed, random)


def test_the_same_run_gives_the_same_bits_and_another_seed_another_score() -> None:
    batch, shared = random_crops(3, seed=1), recogniser(SmallRecogniser())

    def quality(seed: int) -> Tensor:
        attack = Attack(copies=2, iterations=2, epsilon=0.05)
        method = FaceQAN("f", shared, CPU, Precision.FP32, attack, seed=seed)
        return method.score(batch).quality

    assert torch.equal(quality(1), quality(1))
    assert not torch.equal(quality(1), quality(2))


def test_the_recogniser_gets_its_own_preprocessing() -> None:
    """A network that expects BGR from 0 to 255 sees what its twin sees in RGB in [-1, 1]."""
    twin = SmallRecogniser()

    class Wants255(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.twin = twin

        def forward(self, x: Tensor) -> Tensor:
            return self.twin(x.flip(1) / 127.5 - 1)

    raw = Preprocessing(112, "BGR", (0.0,) * 3, (1 / 255,) * 3)
    batch = random_crops(2, seed=9).float() / 127.5 - 1
    torch.testing.assert_close(
        recogniser(Wants255(), raw)(batch), recogniser(twin)(batch), rtol=1e-4, atol=1e-5
    )
