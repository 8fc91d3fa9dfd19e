"""From a training checkpoint to an ONNX file that insightface's `SCRFD` class reads."""

import math
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from fiqa_cli.networks.scrfd import STRIDES, Head, Layout, Scrfd
from fiqa_cli.zoo.onnx_writer import write_onnx

OUTPUTS = [f"{kind}_{stride}" for kind in ("score", "box", "landmark") for stride in STRIDES]
"""The order that insightface relies on: all scores, then all boxes, then all landmarks."""


class NineOutputs(nn.Module):
    """The network with scores in [0, 1] and one output per kind and level."""

    def __init__(self, net: Scrfd) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map `[N, 3, H, W]` to nine tensors `[N · anchors, 1 | 4 | 10]`, named by `OUTPUTS`.

        Two axes instead of three: insightface 0.7 reads no others.
        """
        scores, boxes, landmarks = zip(*self.net.levels(self.net.features(x)), strict=True)
        outputs = (*(score.sigmoid() for score in scores), *boxes, *landmarks)
        return tuple(output.flatten(0, 1) for output in outputs)


def calibrate(net: Scrfd, operating_point: float) -> None:
    """Shift all logits in place so that the score `operating_point`, in (0, 1), becomes 0.5.

    The order of the scores stays; 0.5 becomes the threshold at which misses and false alarms
    balance, and insightface's default.
    """
    for head in net.heads:
        cast(Head, head).shift_scores(-math.log(operating_point / (1 - operating_point)))


def export_onnx(net: Scrfd, path: Path) -> None:
    """Write `net` as ONNX with dynamic batch, height and width, atomically.

    Batch normalisation is folded into the convolutions. The rows of a batch's images follow one
    another in each output.
    """
    axes = {name: {0: f"anchors_{name.split('_')[1]}"} for name in OUTPUTS}
    axes["input"] = {0: "batch", 2: "height", 3: "width"}
    write_onnx(NineOutputs(net).eval(), torch.zeros(1, 3, 64, 64), path, OUTPUTS, axes)


def load_network(checkpoint: Path) -> Scrfd:
    """The network with the averaged weights of a checkpoint."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    net = Scrfd(Layout(*state["layout"]))
    net.load_state_dict(state["averaged"])
    return net
