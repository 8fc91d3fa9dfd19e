"""Small stand-ins for published files."""

import hashlib
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from fiqa_cli.networks.heads import DifFIQARNetwork, EDifFIQANetwork
from fiqa_cli.networks.iresnet import iresnet18, iresnet50, iresnet100
from fiqa_cli.networks.mobilefacenet import MobileFaceNet

ARCHITECTURES = {
    "ediffiqa-t": (EDifFIQANetwork, MobileFaceNet),
    "ediffiqa-s": (EDifFIQANetwork, iresnet18),
    "ediffiqa-m": (EDifFIQANetwork, iresnet50),
    "ediffiqa-l": (EDifFIQANetwork, iresnet100),
    "diffiqa-r": (DifFIQARNetwork, iresnet100),
}


def thin_state(name: str) -> dict[str, Tensor]:
    """A state dict of full shapes that takes no space: each tensor is one number, repeated."""
    head, recogniser = ARCHITECTURES[name]
    with torch.device("meta"):
        state = head(recogniser()).state_dict()
    return {
        key: torch.tensor(float(number + 1), dtype=value.dtype).expand(value.shape)
        for number, (key, value) in enumerate(state.items())
    }


def onnx_file(
    path: Path,
    output: str = "quality",
    batch: int | str = "batch",
    shape: tuple[int, ...] = (3, 112, 112),
    second: bool = False,
) -> Path:
    """A network whose quality is the mean of the crop, written without torch."""
    import onnx
    from onnx import TensorProto, helper

    axes = helper.make_tensor("axes", TensorProto.INT64, [len(shape)], range(1, len(shape) + 1))
    nodes = [helper.make_node("ReduceMean", ["input", "axes"], [output], keepdims=0)]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch])]
    if second:
        nodes.append(helper.make_node("Identity", [output], ["other"]))
        outputs.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, [batch]))
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, *shape])
    graph = helper.make_graph(nodes, "mean", [given], outputs, [axes])
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


def onnx_recogniser(
    path: Path, batch: int | str = "batch", first: tuple[tuple[str, float], ...] = ()
) -> Path:
    """A network whose embedding is the mean of each channel, after the operations `first`."""
    import onnx
    from onnx import TensorProto, helper

    nodes, weights, value = [], [], "input"
    for number, (operation, constant) in enumerate(first):
        weights.append(helper.make_tensor(f"c{number}", TensorProto.FLOAT, [], [constant]))
        nodes.append(helper.make_node(operation, [value, f"c{number}"], [f"v{number}"]))
        value = f"v{number}"
    weights.append(helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3]))
    nodes.append(helper.make_node("ReduceMean", [value, "axes"], ["embedding"], keepdims=0))
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, 112, 112])
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, 3])
    graph = helper.make_graph(nodes, "means", [given], [output], weights)
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


def zip_file(file: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
