"""Our networks against figures of the official implementations, weights filled by a rule."""

import json
from pathlib import Path

import pytest
import torch

from fiqa_cli.networks.heads import DifFIQARNetwork, EDifFIQANetwork
from fiqa_cli.networks.iresnet import iresnet18, iresnet50, iresnet100
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from networks.rule import fill, inputs

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "official.json").read_text())
RECOGNISERS = {"t": MobileFaceNet, "s": iresnet18, "m": iresnet50, "l": iresnet100}


@pytest.mark.parametrize("variant", RECOGNISERS)
def test_ediffiqa(variant: str) -> None:
    golden = GOLDEN["ediffiqa"][variant]
    network = fill(EDifFIQANetwork(RECOGNISERS[variant]()))
    assert sum(p.numel() for p in network.parameters()) == golden["parameters"]
    with torch.inference_mode():
        embedding, quality = network(inputs())
    expected = torch.tensor(golden["quality"])
    assert quality.shape == (4,)
    torch.testing.assert_close(quality, expected, rtol=1e-4, atol=1e-7)
    first = torch.tensor(golden["embedding_first8"])
    torch.testing.assert_close(embedding[:, :8], first, rtol=1e-4, atol=1e-6)
    norms = torch.tensor(golden["embedding_norm"])
    torch.testing.assert_close(embedding.norm(dim=1), norms, rtol=1e-4, atol=0)


def test_diffiqa_r() -> None:
    network = fill(DifFIQARNetwork(iresnet100()))
    with torch.inference_mode():
        _, quality = network(inputs())
    expected = torch.tensor(GOLDEN["diffiqa_r"]["quality"])
    torch.testing.assert_close(quality, expected, rtol=1e-4, atol=0)
