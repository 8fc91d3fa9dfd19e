"""Networks as ONNX graphs, for a runtime that computes them faster on a CPU than torch does."""

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.fx
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    import onnx

OPSET = 20
"""The first with GELU."""
IR_VERSION = 9
"""The format that came with it, which onnxruntime reads from 1.17 on."""

CROPS, OUTPUT = "crops", "output"

Operation = tuple[str, dict[str, Any], list[Tensor]]
"""Operator, attributes and weights of a layer."""


def to_onnx(network: torch.fx.GraphModule) -> bytes:
    """An ONNX model of `network`, serialised, that computes what it computes from whole crops.

    `network` is one of `fold`, of the layers of our recognisers and heads. The model takes
    `crops`, uint8 `[N, 112, 112, 3]` RGB, does the official preprocessing (x/127.5 - 1) and
    gives `output`. Raises KeyError for a layer of another kind.
    """
    from onnx import TensorProto, helper

    modules = dict(network.named_modules())
    graph = _Graph()
    pixels = graph.add(
        "Transpose", [graph.add("Cast", [CROPS], to=TensorProto.FLOAT)], perm=(0, 3, 1, 2)
    )
    pixels = graph.add("Div", [pixels, graph.constant(np.float32(127.5))])
    pixels = graph.add("Sub", [pixels, graph.constant(np.float32(1))])
    names: dict[torch.fx.Node, str] = {}
    for node in network.graph.nodes:
        inputs = [
            names[arg] for arg in node.args if isinstance(arg, torch.fx.Node) and arg in names
        ]
        if node.op == "placeholder":
            names[node] = pixels
        elif node.op == "output":
            graph.add("Identity", inputs, output=OUTPUT)
        elif node.op == "call_module":
            layer = modules[node.target]
            kind, attributes, weights = _LAYERS[type(layer)](layer)
            inputs += [graph.constant(weight.detach().numpy()) for weight in weights]
            names[node] = graph.add(kind, inputs, **attributes)
        else:
            kind, attributes = _FUNCTIONS[node.target]
            names[node] = graph.add(kind, inputs, **attributes)
    crops = helper.make_tensor_value_info(CROPS, TensorProto.UINT8, ["N", 112, 112, 3])
    output = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", "D"])
    made = helper.make_graph(graph.nodes, "network", [crops], [output], graph.constants)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(made, opset_imports=[opset], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())


class _Graph:
    """Nodes and constants with names that are made up as they come."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """Append an operation; returns the name of its result."""
        from onnx import helper

        output = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, value: NDArray[np.float32] | np.float32) -> str:
        """Append a constant; returns its name."""
        from onnx import numpy_helper

        name = f"w{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name


def _convolution(layer: nn.Conv2d) -> Operation:
    assert isinstance(layer.padding, tuple)
    top, left = layer.padding
    attributes = {
        "kernel_shape": layer.kernel_size,
        "strides": layer.stride,
        "dilations": layer.dilation,
        "pads": (top, left, top, left),
        "group": layer.groups,
    }
    return "Conv", attributes, [layer.weight, *([] if layer.bias is None else [layer.bias])]


def _linear(layer: nn.Linear) -> Operation:
    return "Gemm", {"transB": 1}, [layer.weight, *([] if layer.bias is None else [layer.bias])]


def _normalisation(layer: nn.BatchNorm1d | nn.BatchNorm2d) -> Operation:
    assert layer.running_mean is not None and layer.running_var is not None
    weights = [layer.weight, layer.bias, layer.running_mean, layer.running_var]
    return "BatchNormalization", {"epsilon": layer.eps}, weights


_LAYERS: dict[type, Callable[[Any], Operation]] = {
    nn.Conv2d: _convolution,
    nn.Linear: _linear,
    nn.BatchNorm1d: _normalisation,
    nn.BatchNorm2d: _normalisation,
    nn.PReLU: lambda layer: ("PRelu", {}, [layer.weight[:, None, None]]),
    nn.ReLU: lambda layer: ("Relu", {}, []),
    nn.GELU: lambda layer: ("Gelu", {}, []),
}

_FUNCTIONS: dict[object, tuple[str, dict[str, Any]]] = {
    operator.add: ("Add", {}),
    torch.flatten: ("Flatten", {}),
    F.normalize: ("LpNormalization", {"axis": 1, "p": 2}),
}
