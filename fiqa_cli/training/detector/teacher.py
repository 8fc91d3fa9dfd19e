"""The teacher: a detector that gives all its answers to a picture, and what its parts put out."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fiqa_cli.networks.scrfd import KINDS, STRIDES, Layout

if TYPE_CHECKING:
    from onnx import GraphProto


class Answers(NamedTuple):
    """Of N canvases with A anchors each, in the order of `Predictions`."""

    scores: Tensor
    """`[N, A]` in [0, 1]."""
    distances: Tensor
    """`[N, A, 4]`, in strides."""
    landmarks: Tensor
    """`[N, A, 10]`, in strides."""

    def to(self, device: torch.device) -> "Answers":
        """The same on another device."""
        return Answers(*(value.to(device) for value in self))


class Teacher:
    """A detector with the nine outputs of insightface's SCRFD, run at any size and batch."""

    def __init__(self, path: Path) -> None:
        """Load the ONNX file `path`, to run in one thread."""
        import onnx
        import onnxruntime

        model = onnx.load(str(path))
        shape = model.graph.input[0].type.tensor_type.shape.dim
        for axis in (0, 2, 3):
            shape[axis].Clear()
            shape[axis].dim_param = f"axis_{axis}"
        for output in model.graph.output:
            output.type.tensor_type.ClearField("shape")
        parts = part_names(model.graph)
        for name in parts:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
        self.input = model.graph.input[0].name
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        blank = np.zeros((1, 3, 64, 64), np.float32)
        first, *_ = found = self.session.run(None, {self.input: blank})
        self.layout = _layout(found[len(KINDS) * len(STRIDES) :]) if parts else None
        """Of a network whose parts can put out what this one's do, if there is one."""
        # Without an axis for pictures, some put the rows of a batch picture by picture, others
        # place by place.
        self.at_once = first.ndim == 3

    def __call__(self, pictures: Tensor) -> tuple[Answers, list[Tensor]]:
        """The answers to pictures `[N, 3, H, W]` RGB, (x − 127.5) / 128, sides multiples of 32.

        Beside them what each of `Scrfd.parts` ought to put out, or nothing without a `layout`.
        """
        runs = [
            self.session.run(None, {self.input: group.contiguous().numpy()})
            for group in torch.split(pictures, len(pictures) if self.at_once else 1)
        ]
        found = [np.concatenate(outputs) for outputs in zip(*runs, strict=True)]
        levels, kinds = len(STRIDES), []
        for place, width in enumerate(KINDS):
            rows = found[place * levels : (place + 1) * levels]
            shaped = [np.reshape(level, (len(pictures), -1, width)) for level in rows]
            kinds.append(torch.from_numpy(np.concatenate(shaped, axis=1)))
        scores, distances, landmarks = kinds
        parts = found[len(KINDS) * levels :] if self.layout else []
        return Answers(scores[..., 0], distances, landmarks), [torch.from_numpy(x) for x in parts]


def part_names(graph: "GraphProto") -> list[str]:
    """The tensors of insightface's SCRFD that `Scrfd.parts` gives, in its order.

    The stem ends in the maximum over places, a block in a ReLU after a sum; a trunk is what the
    predictions read, a level of the pyramid what its convolutions and ReLUs read. Empty for
    networks that are made of other blocks, or whose layers are not named as insightface's.
    """
    source = {output: node for node in graph.node for output in node.output}
    pools = [node.output[0] for node in graph.node if node.op_type == "MaxPool"]
    blocks = [
        node.output[0]
        for node in graph.node
        if node.op_type == "Relu" and source[node.input[0]].op_type == "Add"
    ]
    trunks = [
        node.input[0]
        for node in graph.node
        if len(node.input) > 1 and "stride_cls" in node.input[1] and "weight" in node.input[1]
    ]
    if len(pools) != 1 or not blocks or len(trunks) != len(STRIDES):
        return []
    levels = []
    for name in trunks:
        while name in source and source[name].op_type == "Relu":
            name = source[source[name].input[0]].input[0]
        levels.append(name)
    return [*pools, *blocks, *levels, *trunks]


def _layout(parts: Sequence[NDArray[np.float32]]) -> Layout | None:
    """The layout of the network whose parts put this out for a picture of 64 pixels."""
    count = len(STRIDES)
    (stem, *blocks), levels, trunks = (
        parts[: -2 * count],
        parts[-2 * count : -count],
        parts[-count:],
    )
    shapes = Counter((64 // block.shape[2], block.shape[1]) for block in blocks)
    strides = [stride for stride, _ in shapes]
    pyramid, head = ({part.shape[1] for part in some} for some in (levels, trunks))
    widths = len(pyramid), len(head)
    stages = tuple((channels, found) for (_, channels), found in shapes.items())
    if strides != [4, *STRIDES] or stages[0][0] != stem.shape[1] or widths != (1, 1):
        return None
    return Layout(stages, *pyramid, *head)
