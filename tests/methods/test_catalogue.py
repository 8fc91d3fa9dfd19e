"""From names to methods."""

from pathlib import Path

import pytest
import torch

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.catalogue import load_method
from fiqa_cli.methods.precision import Precision

CPU = torch.device("cpu")


def test_the_default_model_scores() -> None:
    loaded = load_method("ediffiqa-n", CPU)
    quality = loaded.method.score(torch.zeros(3, 3, 112, 112, dtype=torch.uint8)).quality
    assert loaded.method.name == "ediffiqa-n"
    assert loaded.weights is not None
    assert loaded.weights.name == "ediffiqa-n.safetensors"
    assert quality.shape == (3,)
    assert torch.isfinite(quality).all()


def test_a_detector_is_no_method() -> None:
    with pytest.raises(FiqaError, match="scrfd-n is a detector"):
        load_method("scrfd-n", CPU)


def test_onnx_files_run_in_fp32_only(tmp_path: Path) -> None:
    file = tmp_path / "a.onnx"
    file.write_bytes(small_onnx())
    method = load_method(str(file), CPU, batch_size=2).method
    crops = torch.arange(5, dtype=torch.uint8).reshape(5, 1, 1, 1).expand(5, 3, 112, 112)
    expected = torch.arange(5) / 127.5 - 1
    torch.testing.assert_close(method.score(crops).quality, expected.float(), rtol=0, atol=1e-4)
    with pytest.raises(FiqaError, match="fp32"):
        load_method(str(file), CPU, Precision.BF16)


def small_onnx() -> bytes:
    """A network whose quality is the mean of its input."""
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["input", "axes"], ["quality"], keepdims=0)],
        "mean",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 112, 112])],
        [helper.make_tensor_value_info("quality", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3])],
    )
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()


def test_another_package_can_add_a_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "elsewhere-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[fiqa.methods]\ndark = elsewhere:Dark\n")
    (tmp_path / "elsewhere.py").write_text(
        "from fiqa_cli.methods.method import Scores\n"
        "class Dark:\n"
        "    name, precision, batch_size, components = 'dark', 'fp32', 8, ()\n"
        "    def __init__(self, device, precision, batch_size):\n"
        "        self.device = device\n"
        "    def score(self, crops):\n"
        "        return Scores(1 - crops.float().mean((1, 2, 3)) / 255)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    loaded = load_method("dark", CPU)
    assert loaded.weights is None
    assert loaded.method.score(torch.zeros(2, 3, 112, 112, dtype=torch.uint8)).quality.tolist() == [
        1,
        1,
    ]
