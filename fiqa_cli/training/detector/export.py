"""From a training checkpoint to an ONNX file that insightface's `SCRFD` class reads."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from fiqa_cli.networks.scrfd import STRIDES, Scrfd
from fiqa_cli.training.detector.train import mean_weights
from fiqa_cli.zoo.onnx_writer import write_onnx

OUTPUTS = [f"{kind}_{stride}" for kind in ("score", "box", "landmark") for stride in STRIDES]
"""The order that insightface relies on: all scores, then all boxes, then all landmarks."""

OPERATING_POINT = 0.6
"""Raw score with at most one false box in twenty monitoring photos."""


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


@torch.no_grad()
def calibrate(net: Scrfd, operating_point: float) -> None:
    """Shift all logits in place so that the score `operating_point`, in (0, 1), becomes 0.5.

    The order of the scores stays; 0.5 becomes the threshold at which misses and false alarms
    balance, and insightface's default.
    """
    for head in net.heads:
        head.score.bias -= math.log(operating_point / (1 - operating_point))  # type: ignore[union-attr, operator]


def export_onnx(net: Scrfd, path: Path) -> None:
    """Write `net` as ONNX with dynamic batch, height and width, atomically.

    Batch normalisation is folded into the convolutions. The rows of a batch's images follow one
    another in each output.
    """
    axes = {name: {0: f"anchors_{name.split('_')[1]}"} for name in OUTPUTS}
    axes["input"] = {0: "batch", 2: "height", 3: "width"}
    write_onnx(NineOutputs(net).eval(), torch.zeros(1, 3, 64, 64), path, OUTPUTS, axes)


def mean_network(checkpoints: Sequence[Path]) -> Scrfd:
    """The network whose weights are the mean of the averaged weights of runs (`mean_weights`)."""
    recipe = torch.load(checkpoints[0], weights_only=True)["recipe"]
    # A checkpoint from before there was a choice of width has the first one.
    net = Scrfd(recipe["depth"], recipe.get("width", 0))
    net.load_state_dict(mean_weights(checkpoints))
    return net


def main() -> None:
    """Export the averaged weights of a checkpoint, or their mean over several."""
    parser = argparse.ArgumentParser(
        description=main.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--checkpoint", type=Path, required=True, nargs="+", help="what `train` wrote"
    )
    parser.add_argument("--onnx", type=Path, required=True, help="file to write")
    parser.add_argument(
        "--operating-point",
        type=float,
        default=OPERATING_POINT,
        help="raw score that is exported as 0.5",
    )
    options = parser.parse_args()
    net = mean_network(options.checkpoint)
    calibrate(net, options.operating_point)
    export_onnx(net, options.onnx)


if __name__ == "__main__":
    main()
