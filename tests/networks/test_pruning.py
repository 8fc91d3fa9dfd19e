"""Pruned networks compute the same, and are smaller where channels are dead."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.fx
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from fiqa_cli.methods.onnx_engine import onnx_engine
from fiqa_cli.networks.folding import fold
from fiqa_cli.networks.mobilefacenet import Bottleneck, ConvBlock
from fiqa_cli.networks.pruning import BLOCK, Values, prune
from networks.rule import fill


class Small(nn.Module):
    """The layers of a MobileFaceNet, and one padded convolution that is not depthwise."""

    def __init__(self) -> None:
        super().__init__()
        self.first = ConvBlock(3, 16, 3, 8, 1)
        self.dw = ConvBlock(16, 16, 3, 1, 1, groups=16)
        self.down = Bottleneck(16, 16, 24, stride=2)
        self.stay = Bottleneck(16, 16, 32, residual=True)
        self.wide = ConvBlock(16, 24, 1)
        self.end = ConvBlock(24, 16, 3, 1, 1)
        self.linear = nn.Linear(16 * 7 * 7, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stay(self.down(self.dw(self.first(x))))
        out: Tensor = self.linear(torch.flatten(self.end(self.wide(x)), 1))
        return out


def never(block: ConvBlock, channels: list[int]) -> None:
    """The bias holds them below 0."""
    block.bn.bias[channels] = -1000.0


def zero(block: ConvBlock, channels: list[int]) -> None:
    block.bn.weight[channels] = 0
    block.bn.bias[channels] = 0


def constant(block: ConvBlock, channels: list[int]) -> None:
    block.bn.weight[channels] = 0
    block.bn.bias[channels] = torch.linspace(-1, 3, len(channels))


KINDS = (never, zero, constant)
RECTIFIED = [name for name, each in Small().named_modules() if hasattr(each, "prelu")]
Plan = dict[str, tuple[Callable[[ConvBlock, list[int]], None], list[int]]]


def small(plan: Plan, slopes: dict[str, float] | None = None) -> nn.Module:
    """Weights by the rule, dead channels by `plan`; ReLUs but for layers with a slope."""
    network = fill(Small())
    with torch.no_grad():
        for name in RECTIFIED:
            block = network.get_submodule(name)
            assert isinstance(block, ConvBlock)
            block.prelu.weight.fill_((slopes or {}).get(name, 0.0))
            kind, channels = plan.get(name, (zero, []))
            kind(block, channels)
    return network


def crops() -> Tensor:
    """Noise, black, white and stripes that are as wide as a pixel: uint8 `[5, 3, 112, 112]`."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (2, 3, 112, 112), dtype=np.uint8)
    stripes = np.indices((3, 112, 112)).sum(0) % 2 * 255
    black = np.zeros_like(noise[0])
    return torch.from_numpy(np.stack((*noise, black, black + 255, stripes.astype(np.uint8))))


def assert_same(network: nn.Module, pruned: torch.fx.GraphModule) -> None:
    pixels = crops().float() / 127.5 - 1
    with torch.inference_mode():
        expected = network(pixels)
        torch.testing.assert_close(pruned(pixels), expected, rtol=1e-4, atol=1e-4)
    engine = onnx_engine(pruned)
    assert engine is not None
    torch.testing.assert_close(engine(crops()), expected, rtol=1e-4, atol=1e-4)


def pruned(network: nn.Module) -> torch.fx.GraphModule:
    folded = fold(network)
    prune(folded)
    return folded


def widths(network: torch.fx.GraphModule) -> dict[str, tuple[int, int, int]]:
    """Inputs, outputs and groups of the convolutions."""
    return {
        name.removesuffix(".conv"): (layer.in_channels, layer.out_channels, layer.groups)
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d)
    }


PLANS = st.fixed_dictionaries(
    {},
    optional={
        name: st.tuples(
            st.sampled_from(KINDS), st.lists(st.integers(0, 15), unique=True, max_size=16)
        )
        for name in RECTIFIED
    },
)
SLOPES = st.dictionaries(st.sampled_from(RECTIFIED), st.sampled_from((0.25, -0.5, 1.5)))


@settings(max_examples=40, deadline=None)
@given(PLANS, SLOPES)
def test_whatever_is_dead_the_results_are_the_same(plan: Plan, slopes: dict[str, float]) -> None:
    network = small(plan, slopes)
    assert_same(network, pruned(network))


@pytest.mark.parametrize("kind", KINDS)
def test_a_dead_channel_is_computed_nowhere(
    kind: Callable[[ConvBlock, list[int]], None],
) -> None:
    network = small({"dw": (kind, [*range(3, 11)]), "stay.conv_dw": (kind, [*range(24)])})
    found = pruned(network)
    assert_same(network, found)
    # The living channels that the dead ones alone read are gone as well.
    assert widths(found) == widths(fold(network)) | {
        "first": (3, 8, 1),
        "dw": (8, 8, 8),
        "down.conv": (8, 24, 1),
        "stay.conv": (16, 8, 1),
        "stay.conv_dw": (8, 8, 8),
        "stay.project": (8, 16, 1),
    }


def test_what_a_dead_channel_makes_constant_is_left_out_too() -> None:
    network = small({"down.conv": (never, [*range(8)])})
    with torch.no_grad():
        network.get_parameter("down.conv_dw.bn.bias")[:8] += 2
    found = pruned(network)
    assert_same(network, found)
    assert widths(found)["down.project"] == (16, 16, 1)


def test_whole_blocks_are_left() -> None:
    network = small({"stay.conv": (zero, [*range(5)]), "stay.conv_dw": (zero, [*range(5)])})
    assert widths(pruned(network)) == widths(fold(network))
    everything = small({"stay.conv_dw": (zero, [*range(32)])})
    found = pruned(everything)
    assert widths(found)["stay.project"] == (BLOCK, 16, 1)
    assert_same(everything, found)


def test_a_constant_that_padding_interrupts_stays() -> None:
    first: Plan = {"first": (zero, [*range(8)]), "wide": (zero, [*range(8)])}
    network = small(first)
    assert widths(pruned(network))["end"] == (16, 16, 1)
    with torch.no_grad():
        for name in first:
            network.get_parameter(f"{name}.bn.bias")[:8] = 1.0
    found = pruned(network)
    assert_same(network, found)
    assert widths(found) == widths(fold(network))


def test_a_slope_lets_negative_values_through() -> None:
    plan: Plan = {"down.conv_dw": (never, [*range(16)])}
    assert widths(pruned(small(plan)))["down.project"][0] == 8
    network = small(plan, {"down.conv_dw": 0.25})
    assert widths(pruned(network))["down.project"][0] == 24


def test_without_dead_channels_nothing_changes() -> None:
    network = small({})
    before, after = fold(network).state_dict(), pruned(network).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_network_that_was_folded_stays_as_it_was() -> None:
    network = small({"dw": (never, [*range(8)])})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    pruned(network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(("bias", "left"), [(-1.0, 16), (-1.001, 8)])
def test_a_channel_that_one_crop_can_reach_stays(bias: float, left: int) -> None:
    network = small({})
    block = network.get_submodule("first")
    assert isinstance(block, ConvBlock)
    with torch.no_grad():
        size = block.conv.weight.abs().sum((1, 2, 3))
        block.bn.running_mean[:8], block.bn.running_var[:8] = 0, 1
        block.bn.weight[:8] = 1
        # Rounding could let what comes to 0 exactly fire.
        block.bn.bias[:8] = bias * size[:8] / (1 + block.bn.eps) ** 0.5
    found = pruned(network)
    assert widths(found)["first"][1] == left
    assert_same(network, found)


def test_bounds_are_those_that_the_worst_crop_reaches() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 7, 3)
    ones = torch.ones(3, dtype=torch.float64)
    found = Values.between(-ones, ones).convolved(layer)
    with torch.inference_mode():
        highest = layer(layer.weight.sign()).diagonal().flatten()
        lowest = layer(-layer.weight.sign()).diagonal().flatten()
    high, low = found.centre + found.radius, found.centre - found.radius
    assert (high >= highest).all() and (low <= lowest).all()
    torch.testing.assert_close(high, highest.double(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(low, lowest.double(), rtol=1e-4, atol=1e-4)


@settings(deadline=None)
@given(st.floats(-3, 3), st.floats(0, 3), st.sampled_from((0.0, 0.25, 1.5, -0.5)))
def test_bounds_of_a_prelu_hold_its_values(low: float, width: float, slope: float) -> None:
    places = torch.linspace(low, low + width, 101, dtype=torch.float64)
    given = Values.between(places[:1], places[-1:])
    found = given.rectified(torch.tensor([slope], dtype=torch.float64))
    values = torch.where(places > 0, places, slope * places)
    high, low_ = found.centre + found.radius, found.centre - found.radius
    assert (values <= high + 1e-9).all() and (values >= low_ - 1e-9).all()
    assert high - values.max() <= 0.04 and values.min() - low_ <= 0.04
