"""Inner features: what the graph gives, against another runtime's inner results."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.embeddings import open_inner_features
from fiqa_cli.training.inner_features import FEATURES, write_inner_features


def recogniser(residual: bool = True) -> onnx.ModelProto:
    """Two stages, of size 28 with two sums and of size 14 with one; pooled by a convolution."""
    rng = np.random.default_rng(0)
    weights, nodes = [], []

    def conv(
        given: str, made: str, shape: tuple[int, ...], stride: int, pad: int, **more: int
    ) -> None:
        value = (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        weights.append(numpy_helper.from_array(value, f"{made}.weight"))
        attributes = {"strides": [stride] * 2, "pads": [pad] * 4, **more}
        nodes.append(helper.make_node("Conv", [given, f"{made}.weight"], [made], **attributes))

    conv("input", "stem", (8, 3, 4, 4), 4, 0)
    conv("stem", "inner1", (8, 8, 3, 3), 1, 1)
    conv("inner1", "inner2", (8, 8, 3, 3), 1, 1)
    kind = "Add" if residual else "Mul"
    nodes.append(helper.make_node(kind, ["stem", "inner1"], ["sum1"]))
    nodes.append(helper.make_node(kind, ["sum1", "inner2"], ["sum2"]))
    conv("sum2", "smaller", (12, 8, 2, 2), 2, 0)
    conv("smaller", "inner3", (12, 12, 1, 1), 1, 0)
    nodes.append(helper.make_node(kind, ["smaller", "inner3"], ["sum3"]))
    conv("sum3", "wide", (16, 12, 1, 1), 1, 0)
    nodes.append(helper.make_node("Relu", ["wide"], ["last"]))
    conv("last", "pooled", (16, 1, 14, 14), 1, 0, group=16)
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    weights.append(numpy_helper.from_array(rng.normal(size=(16, 5)).astype(np.float32), "head"))
    nodes.append(helper.make_node("MatMul", ["flat", "head"], ["embedding"]))
    graph = helper.make_graph(
        nodes,
        "recogniser",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 112, 112])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 5])],
        weights,
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=9)


def test_they_are_the_statistics_of_the_inner_results(tmp_path: Path) -> None:
    model = recogniser()
    onnx.save(model, tmp_path / "recogniser.onnx")
    write_inner_features(tmp_path / "recogniser.onnx", tmp_path / "inner.onnx")
    crops = np.random.default_rng(1).uniform(-1, 1, (3, 3, 112, 112)).astype(np.float32)
    session = onnxruntime.InferenceSession(tmp_path / "inner.onnx")
    assert [output.name for output in session.get_outputs()] == [FEATURES]
    (found,) = session.run(None, {"input": crops})

    names = ["embedding", "pooled", "last", "sum2", "sum3"]
    inner = dict(zip(names, ReferenceEvaluator(model).run(names, {"input": crops}), strict=True))
    norm = np.linalg.norm(inner["embedding"], axis=1, keepdims=True)
    parts = [inner["embedding"], norm, np.log(norm), inner["pooled"].reshape(3, -1)]
    for name in ("last", "sum2", "sum3"):
        parts += [inner[name].mean((2, 3)), inner[name].std((2, 3))]
    np.testing.assert_allclose(found, np.concatenate(parts, axis=1), rtol=1e-3, atol=1e-4)


def test_a_teacher_gives_them_from_crops_with_its_own_pixels(tmp_path: Path) -> None:
    onnx.save(recogniser(), tmp_path / "recogniser.onnx")
    teacher = open_inner_features(
        f"raw:{tmp_path / 'recogniser.onnx'}", tmp_path / "inner.onnx", torch.device("cpu")
    )
    crops = np.random.default_rng(2).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    pixels = crops.transpose(0, 3, 1, 2).astype(np.float32)
    session = onnxruntime.InferenceSession(tmp_path / "inner.onnx")
    (expected,) = session.run(None, {"input": pixels})
    np.testing.assert_allclose(teacher.embed(crops), expected, rtol=1e-3, atol=1e-2)


def test_what_has_no_inner_features_is_told(tmp_path: Path) -> None:
    onnx.save(recogniser(residual=False), tmp_path / "plain.onnx")
    with pytest.raises(FiqaError, match="no residual stages"):
        write_inner_features(tmp_path / "plain.onnx", tmp_path / "inner.onnx")
    torch.save({"weight": torch.zeros(1)}, tmp_path / "weights.pth")
    with pytest.raises(FiqaError, match="fiqa models export NAME --onnx"):
        write_inner_features(tmp_path / "weights.pth", tmp_path / "inner.onnx")
