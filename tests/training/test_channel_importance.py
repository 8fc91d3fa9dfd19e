"""The importance of channels, against finite differences, and what becomes of the least of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fiqa_cli.methods.distilled import normalise
from fiqa_cli.networks.heads import EDifFIQANetwork
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.networks.multiply_adds import multiply_adds
from fiqa_cli.training.channel_importance import find_stages, importance, weaken
from fiqa_cli.training.folding import fold
from training.rectified import batches, quiet

CPU = torch.device("cpu")


def made() -> EDifFIQANetwork:
    network = quiet(EDifFIQANetwork(MobileFaceNet()))
    assert isinstance(network, EDifFIQANetwork)
    return network


def alive(network: nn.Module) -> dict[str, Tensor]:
    return {
        name: torch.stack([layer.bn.weight != 0 for layer in stage]).all(0)
        for name, stage in find_stages(network).items()
    }


@contextmanager
def gated(layer: nn.Module, channel: int, gate: float) -> Iterator[None]:
    def scale(_layer: nn.Module, _inputs: Any, out: Tensor) -> Tensor:
        out[:, channel] *= gate
        return out

    handle = layer.register_forward_hook(scale)
    yield
    handle.remove()


@pytest.mark.parametrize("name", ["conv2_dw", "conv_3.model.1.conv_dw", "conv_45.conv_dw"])
def test_importance_is_the_squared_slope_of_the_quality_by_a_gate(name: str) -> None:
    network = made()
    found = importance(network, batches(), CPU)[name]
    pixels = normalise(torch.cat(batches()))
    layer = find_stages(network.recogniser)[name][1]
    step = 0.02
    for channel in (1, 4, 10, 44):
        ends = []
        for gate in (1 - step, 1 + step):
            with gated(layer, channel, gate), torch.inference_mode():
                ends.append(network(pixels)[1].double())
        slopes = (ends[1] - ends[0]) / (2 * step)
        expected = slopes.square().sum()
        torch.testing.assert_close(found[channel], expected, rtol=0.05, atol=1e-6)
    assert (found > 0).any()


def test_what_the_quality_does_not_owe_anything_goes_first() -> None:
    network = made()
    faint = torch.arange(5, 21)
    with torch.no_grad():
        for block in network.recogniser.conv_4.model:
            block.project.conv.weight[:, faint] *= 1e-4
    owed = importance(network, batches(), CPU)
    weaken(network, batches, CPU, 0.97)
    cleared = {name: ~kept for name, kept in alive(network.recogniser).items()}
    for name, gone in cleared.items():
        heard = owed[name] > 0
        if name.startswith("conv_4."):
            heard[faint] = False
        assert not (gone & heard).any(), name
    assert any(gone.any() for gone in cleared.values())


@pytest.fixture
def one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fiqa_cli.training.channel_importance.ROUNDS", 1)


@pytest.mark.usefixtures("one_round")
def test_the_share_is_reached_in_whole_blocks_and_training_leaves_them_at_zero() -> None:
    network = made()
    before = multiply_adds(network.recogniser)
    weaken(network, batches, CPU, 0.8)
    assert 0.77 * before < multiply_adds(network.recogniser) <= 0.8 * before
    left = alive(network.recogniser)
    assert all(kept.any() and kept.sum() % 8 == 0 for kept in left.values())

    fold(network)
    for weight in network.parameters():
        weight.requires_grad_()
    optimiser = torch.optim.AdamW(network.parameters(), 1e-2)
    for crops in batches():
        optimiser.zero_grad()
        network(normalise(crops))[1].sum().backward()
        optimiser.step()
    stages = find_stages(network.recogniser)
    for name, kept in left.items():
        for layer in stages[name]:
            assert not layer.conv.weight[~kept].any()
            assert not layer.conv.bias[~kept].any()
            assert layer.conv.weight[kept].any()


@pytest.mark.usefixtures("one_round")
def test_nothing_is_left_to_take() -> None:
    network = made()
    weaken(network, batches, CPU, 0.01)
    assert all(kept.sum() == 8 for kept in alive(network.recogniser).values())
