"""The teacher's features: those its score convolutions read, at any size of picture."""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from fiqa_cli.training.detector.remember import Teacher
from fiqa_cli.training.detector.teacher_memory import TeacherMemory

STRIDES = (8, 16)


def teacher_file(path: Path) -> Path:
    """Like an SCRFD for one 64×64 picture: means over squares, doubled, read by a score layer."""
    nodes, outputs, weights = [], [], []
    for stride in STRIDES:
        name = f"bbox_head.stride_cls.({stride}, {stride})"
        square = [stride, stride]
        nodes += [
            helper.make_node(
                "AveragePool", ["images"], [f"mean{stride}"], kernel_shape=square, strides=square
            ),
            helper.make_node("Add", [f"mean{stride}"] * 2, [f"seen{stride}"]),
            helper.make_node(
                "Conv", [f"seen{stride}", f"{name}.weight", f"{name}.bias"], [f"out{stride}"]
            ),
        ]
        side = 64 // stride
        outputs.append(
            helper.make_tensor_value_info(f"out{stride}", TensorProto.FLOAT, [1, 2, side, side])
        )
        weights += [
            helper.make_tensor(f"{name}.weight", TensorProto.FLOAT, [2, 3, 1, 1], [1.0] * 6),
            helper.make_tensor(f"{name}.bias", TensorProto.FLOAT, [2], [0.0] * 2),
        ]
    given = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])
    graph = helper.make_graph(nodes, "teacher", [given], outputs, weights)
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def test_features_are_what_the_score_layers_read(tmp_path: Path) -> None:
    images = torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (2, 3, 96, 32), dtype=np.uint8)
    )
    features = Teacher(teacher_file(tmp_path / "teacher.onnx"))(images)
    pixels = (images.float() - 127.5) / 128
    for stride, found in zip(STRIDES, features, strict=True):
        expected = 2 * torch.nn.functional.avg_pool2d(pixels, stride)
        torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-4, atol=1e-5)


def test_memory_gives_back_what_was_stored(tmp_path: Path) -> None:
    memory = TeacherMemory(tmp_path, pool=12)
    features = [np.full((2, 4, side, side), side, np.float32) for side in (8, 4, 2)]
    memory.store(11, features)
    loaded = memory.load(11)
    assert all(np.array_equal(a, b) for a, b in zip(loaded, features, strict=True))
    assert [path.name for path in tmp_path.iterdir()] == ["000011.npz"]
