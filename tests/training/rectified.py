"""MobileFaceNets with ReLUs, as our trainings make them, without any file."""

import numpy as np
import torch
from torch import Tensor, nn

from fiqa_cli.networks.mobilefacenet import ConvBlock
from networks.rule import crops, fill


def rectified(network: nn.Module) -> dict[str, ConvBlock]:
    """The layers with a rectifier, by name."""
    return {
        name: each
        for name, each in network.named_modules()
        if isinstance(each, ConvBlock) and hasattr(each, "prelu")
    }


def quiet(network: nn.Module) -> nn.Module:
    """With ReLUs whose biases hold about a third of the channels down on most crops."""
    fill(network)
    with torch.no_grad():
        for block in rectified(network).values():
            block.prelu.weight.zero_()
            block.bn.bias[::3] -= 2
    return network


def batches() -> list[Tensor]:
    """Eight crops in batches of three, uint8 `[N, 3, 112, 112]`."""
    both = torch.from_numpy(np.concatenate((crops(), crops(1)))).permute(0, 3, 1, 2)
    return list(both.split(3))
