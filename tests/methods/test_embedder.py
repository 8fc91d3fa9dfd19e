"""Embeddings of crops, against direct calls of the network."""

from pathlib import Path

import pytest
import torch

from fiqa_cli.methods.embedder import Embedder
from fiqa_cli.methods.embedding_norm import EmbeddingNorm
from fiqa_cli.methods.loaded_recogniser import LoadedRecogniser
from fiqa_cli.methods.precision import Precision
from fiqa_cli.methods.recogniser import Recogniser
from methods.small import CPU, HALF, SmallRecogniser, random_crops


@pytest.fixture
def recogniser() -> LoadedRecogniser:
    network = Recogniser(SmallRecogniser(), HALF, CPU, Precision.FP32)
    return LoadedRecogniser("small", Path("small.pth"), network, Precision.FP32)


def direct(crops: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        out: torch.Tensor = SmallRecogniser()((crops / 255 - 0.5) / 0.5)
    return out


@pytest.mark.parametrize("count", [1, 8, 21])
def test_embeddings_are_the_networks_own_not_normalised(
    recogniser: LoadedRecogniser, count: int
) -> None:
    crops = random_crops(count, seed=count)
    found = Embedder(recogniser, CPU).embed(crops)
    torch.testing.assert_close(found, direct(crops), rtol=1e-4, atol=1e-5)
    both = Embedder(recogniser, CPU, with_flip=True).embed(crops)
    torch.testing.assert_close(both[:, :8], found)
    torch.testing.assert_close(both[:, 8:], direct(crops.flip(3)), rtol=1e-4, atol=1e-5)


def test_the_norm_is_a_quality(recogniser: LoadedRecogniser) -> None:
    crops = random_crops(5, seed=2)
    method = EmbeddingNorm("embedding-norm", Embedder(recogniser, CPU, batch_size=2))
    expected = direct(crops).square().sum(1).sqrt()
    torch.testing.assert_close(method.score(crops).quality, expected, rtol=1e-4, atol=1e-5)
    assert (method.batch_size, method.precision) == (2, "fp32")
