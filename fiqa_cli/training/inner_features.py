"""What a recogniser sees on its way to the embedding: statistics of its inner layers.

An embedding is made to forget what hinders recognition; the layers before it still know pose,
light, blur and occlusion. Quality is a simple function of them (see `expectation.py`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.formats import ONNX, weights_format

if TYPE_CHECKING:
    import onnx

FEATURES = "features"


def write_inner_features(recogniser: Path, file: Path) -> None:
    """Write to `file` the graph of an ONNX `recogniser` that ends in its inner features, `[N, F]`.

    These are the embedding, its norm and the logarithm of it; what the last spatial layer is
    pooled to by a convolution, where one does that; and the mean and the deviation of each channel
    of that layer and of the ends of the residual stages, one for each spatial size.
    Raises `FiqaError` for another kind of file and for a graph without residual stages.
    """
    import onnx

    if weights_format(recogniser) != ONNX:
        raise FiqaError(
            f"{recogniser} is no ONNX file, whose inner layers can be read: "
            "write one with 'fiqa models export NAME --onnx FILE'"
        )
    model = onnx.shape_inference.infer_shapes(onnx.load(recogniser))
    maps = _maps(model)
    sums = {node.output[0] for node in model.graph.node if node.op_type == "Add"}
    ends = {size: name for name, size in maps.items() if name in sums and size > 1}
    if not ends:
        raise FiqaError(f"{recogniser} has no residual stages of known size to read features from")
    spatial = [name for name, size in maps.items() if size > 1]
    pooled = [name for name, size in maps.items() if size == 1]

    graph = _Ending(model.graph)
    embedding = graph.add("Flatten", [model.graph.output[0].name], axis=1)
    width = model.graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    square = graph.add("Mul", [embedding, embedding])
    total = graph.add("MatMul", [square, graph.constant(np.ones((width, 1), np.float32))])
    norm = graph.root(total)
    parts = [embedding, norm, graph.add("Log", [norm])]
    parts += [graph.add("Flatten", [name], axis=1) for name in pooled[:1]]
    for name in dict.fromkeys([spatial[-1], *ends.values()]):
        parts += graph.moments(name)
    graph.add("Concat", parts, output=FEATURES, axis=1)
    del model.graph.output[:]
    made = onnx.helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, ["N", "F"])
    model.graph.output.append(made)
    file.write_bytes(model.SerializeToString())


def _maps(model: "onnx.ModelProto") -> dict[str, int]:
    """Inner results of shape `[N, C, S, S]` by name, in order of computation: their size S."""
    sizes = {}
    for value in model.graph.value_info:
        shape = [each.dim_value for each in value.type.tensor_type.shape.dim]
        if len(shape) == 4 and shape[1] and shape[2] and shape[2] == shape[3]:
            sizes[value.name] = shape[2]
    made = (name for node in model.graph.node for name in node.output)
    return {name: sizes[name] for name in made if name in sizes}


class _Ending:
    """Appends operations to a graph; of those that every opset writes the same way."""

    def __init__(self, graph: "onnx.GraphProto") -> None:
        self._graph = graph

    def add(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """Append an operation; returns the name of its result."""
        from onnx import helper

        output = output or f"{FEATURES}.{len(self._graph.node)}"
        self._graph.node.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, value: np.ndarray[Any, np.dtype[np.float32]]) -> str:
        """Append a constant; returns its name."""
        from onnx import numpy_helper

        name = f"{FEATURES}.constant.{len(self._graph.initializer)}"
        self._graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def root(self, value: str) -> str:
        """Append the square root of what rounding may have made less than 0."""
        least = self.constant(np.asarray(1e-6, np.float32))
        return self.add("Sqrt", [self.add("Add", [self.add("Relu", [value]), least])])

    def moments(self, value: str) -> list[str]:
        """Append mean and deviation over the positions of a `[N, C, S, S]` result."""
        mean = self.add("Flatten", [self.add("GlobalAveragePool", [value])], axis=1)
        square = self.add("GlobalAveragePool", [self.add("Mul", [value, value])])
        variance = self.add(
            "Sub", [self.add("Flatten", [square], axis=1), self.add("Mul", [mean, mean])]
        )
        return [mean, self.root(variance)]
