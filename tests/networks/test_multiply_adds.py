"""The count of multiply-adds, against the shapes of the layers."""

import torch
from torch import nn

from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.networks.multiply_adds import multiply_adds
from networks.rule import fill


def test_multiply_adds_are_those_of_the_layers() -> None:
    network = fill(MobileFaceNet())
    counts: list[int] = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(
                lambda layer, _inputs, out: counts.append(out.numel() * layer.weight[0].numel())
            )
    with torch.inference_mode():
        network(torch.zeros(1, 3, 112, 112))
    expected = sum(counts)
    assert multiply_adds(network) == expected
