"""The channels that matter least to the quality: those to do without for speed.

Importance is the first-order Taylor criterion (Molchanov et al., CVPR 2019, on gates): how much the
quality would change if the channel were 0, by its gradient, squared and averaged over crops.
Without labels, since it is the quality itself that should stay.
"""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from fiqa_cli.methods.distilled import normalise
from fiqa_cli.networks.heads import QualityNetwork
from fiqa_cli.networks.mobilefacenet import Bottleneck, ConvBlock, MobileFaceNet
from fiqa_cli.networks.multiply_adds import multiply_adds
from fiqa_cli.networks.pruning import BLOCK
from fiqa_cli.training.folding import fold

ROUNDS = 4
"""Importance is found anew after each part of the channels: what others did, some now do alone."""

Stage = tuple[ConvBlock, ConvBlock]
"""A convolution and the depthwise one behind it, which have their channels in common."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Channels of a stage that go together."""

    stage: str
    channels: Tensor
    saved: int
    """Multiply-adds without them."""
    owed: float
    """The sum of their importance."""


def weaken(
    network: nn.Module,
    batches: Callable[[], Iterable[Tensor]],
    device: torch.device,
    share: float,
) -> None:
    """Set to 0, in place, the least important channels until `share` of the multiply-adds is left.

    `network` is a MobileFaceNet with ReLUs and a head in eval mode; `batches()` gives crops, uint8
    `[N, 3, 112, 112]` RGB, the same each time. Whole blocks of `BLOCK` channels go, and none of a
    stage's last block: with no other left it ends above `share`. Qualities change; a training that
    starts from these weights leaves the channels at 0.
    """
    recogniser = cast(QualityNetwork, network).recogniser
    cost, stages = multiply_adds(recogniser), find_stages(recogniser)
    limits = [cost * share ** (part / ROUNDS) for part in range(1, ROUNDS + 1)]
    for limit in limits:
        # Stages share some of what they save: what was left out may fall short of what was meant.
        while cost > limit:
            blocks = _least_first(recogniser, importance(network, batches(), device))
            if not blocks:
                return
            for block in blocks:
                _clear(stages[block.stage], block.channels)
                cost -= block.saved
                if cost <= limit:
                    break
            cost = multiply_adds(recogniser)


def importance(
    network: nn.Module, batches: Iterable[Tensor], device: torch.device
) -> dict[str, Tensor]:
    """What the quality owes to each channel of each stage, float64 `[C]`, at least 0."""
    folded = copy.deepcopy(network)
    fold(folded)
    folded.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    made: dict[str, Tensor] = {}
    for name, (_, depthwise) in find_stages(cast(QualityNetwork, folded).recogniser).items():

        def watch(_layer: nn.Module, _inputs: Any, out: Tensor, name: str = name) -> None:
            made[name] = out

        depthwise.register_forward_hook(watch)
    sums: dict[str, Tensor] = {}
    for crops in batches:
        # Weights that were loaded to score with have no gradients: those of the pixels do.
        _, quality = folded(normalise(crops.to(device)).requires_grad_())
        # Crops do not see each other: the gradient of the sum has that of each.
        slopes = torch.autograd.grad(quality.sum(), list(made.values()))
        for (name, out), slope in zip(made.items(), slopes, strict=True):
            change = (out.detach() * slope).sum((2, 3)).double()
            sums[name] = sums.get(name, 0) + change.square().sum(0).cpu()
    return sums


def find_stages(recogniser: nn.Module) -> dict[str, Stage]:
    """The stages of a MobileFaceNet by the name of their second layer."""
    assert isinstance(recogniser, MobileFaceNet)
    stages = {"conv2_dw": (recogniser.conv1, recogniser.conv2_dw)}
    for name, module in recogniser.named_modules():
        if isinstance(module, Bottleneck):
            stages[f"{name}.conv_dw"] = (module.conv, module.conv_dw)
    return stages


def _least_first(recogniser: nn.Module, found: dict[str, Tensor]) -> list[Block]:
    """Blocks of channels by what the quality owes to them for their multiply-adds."""
    ranked: list[Block] = []
    cost = multiply_adds(recogniser)
    for name, stage in find_stages(recogniser).items():
        alive = torch.stack([layer.bn.weight.detach() != 0 for layer in stage]).all(0)
        order = found[name].argsort()
        order = order[alive[order]]
        # What is over a whole number of blocks goes first: it costs as much as a block.
        over = len(order) % BLOCK or BLOCK
        blocks = [order[:over], *torch.split(order[over:], BLOCK)][:-1]
        if blocks and (saved := cost - _cost_without(recogniser, name, blocks[0])):
            ranked += (
                Block(name, channels, saved, float(found[name][channels].sum()))
                for channels in blocks
            )
    return sorted(ranked, key=lambda block: block.owed / block.saved)


def _cost_without(recogniser: nn.Module, stage: str, channels: Tensor) -> int:
    without = copy.deepcopy(recogniser)
    _clear(find_stages(without)[stage], channels)
    return multiply_adds(without)


@torch.no_grad()
def _clear(stage: Stage, channels: Tensor) -> None:
    for block in stage:
        block.bn.weight[channels] = 0
        block.bn.bias[channels] = 0
