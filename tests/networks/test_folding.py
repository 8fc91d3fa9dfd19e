"""Folding changes the layers, not what they compute."""

import pytest
import torch
from torch import nn

from fiqa_cli.networks.folding import fold
from fiqa_cli.networks.iresnet import iresnet18
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from networks.rule import fill, inputs


@pytest.mark.parametrize(("build", "left"), [(MobileFaceNet, 0), (iresnet18, 9)])
def test_folded_networks_compute_the_same(build: type[nn.Module], left: int) -> None:
    network = fill(build())
    folded = fold(network)
    norms = [m for m in folded.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    # An IResNet block begins with one, which has no layer before it; so has the flattening.
    assert len(norms) == left
    with torch.inference_mode():
        torch.testing.assert_close(folded(inputs()), network(inputs()), rtol=1e-4, atol=1e-5)


def test_a_prelu_of_slope_0_becomes_a_relu_and_others_stay() -> None:
    network = fill(MobileFaceNet())
    assert isinstance(network.conv1, nn.Module)
    with torch.no_grad():
        network.conv1.prelu.weight.zero_()
    folded = fold(network)
    kinds = [type(m) for m in folded.modules() if isinstance(m, nn.PReLU | nn.ReLU)]
    assert (kinds.count(nn.ReLU), kinds.count(nn.PReLU)) == (1, 32)
    with torch.inference_mode():
        torch.testing.assert_close(folded(inputs()), network(inputs()), rtol=1e-4, atol=1e-5)


def test_a_layer_with_two_readers_is_left_alone() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.norm = nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x)
            return x + self.norm(x)

    network = fill(Fork())
    assert any(isinstance(m, nn.BatchNorm2d) for m in fold(network).modules())
    with torch.inference_mode():
        torch.testing.assert_close(fold(network)(inputs()), network(inputs()))
