"""The teacher: an SCRFD network that gives its last features beside the faces that it finds."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fiqa_cli.errors import FiqaError
from fiqa_cli.networks.scrfd import STRIDES
from fiqa_cli.training.detector.assignment import make_anchors
from fiqa_cli.training.detector.labels import Faces, pairwise_iou

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession

LEAST_SCORE = 0.3
"""Score from which a box of the teacher is at least doubtful, and not background."""
OVERLAP = 0.4
"""IoU from which the weaker of two boxes is the same face, as in insightface."""


class Judgement(NamedTuple):
    """What the teacher makes of a batch of N canvases."""

    features: list[NDArray[np.float32]]
    """`[N, C, H / stride, W / stride]` of each level: what its score convolutions read."""
    faces: list[Faces]
    """Of each canvas, scored `LEAST_SCORE` or more."""


def read_teacher(path: Path) -> tuple["ModelProto", list[str]]:
    """The ONNX model, made to take any size and batch, and the names of its last features.

    They are what its score convolutions read, stride 8 first. Raises `FiqaError` if its layers are
    not named as insightface names them.
    """
    import onnx

    model = onnx.load(str(path))
    shape = model.graph.input[0].type.tensor_type.shape.dim
    for axis in (0, 2, 3):
        shape[axis].Clear()
        shape[axis].dim_param = f"axis_{axis}"
    names = [
        node.input[0]
        for node in model.graph.node
        if len(node.input) > 1 and "stride_cls" in node.input[1] and "weight" in node.input[1]
    ]
    if len(names) != len(STRIDES):
        raise FiqaError(
            f"{path.name} shows no features to imitate: the phases after the third need one of "
            "insightface's SCRFD detectors as teacher"
        )
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return model, names


def start(model: "ModelProto", threads: int) -> "InferenceSession":
    """Run `model` on CPU with so many threads, 0: one per core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


class Teacher:
    """An SCRFD network with landmarks, run at any size of canvas and any batch."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Load the ONNX file `path`; `threads` of each run, 0: one per core.

        Raises `FiqaError` if its layers are not named as insightface names them.
        """
        import onnx

        model, names = read_teacher(path)
        for name in names:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
        self.input = model.graph.input[0].name
        self.session = start(model, threads)

    def __call__(self, images: Tensor) -> Judgement:
        """Judge canvases, uint8 `[N, 3, H, W]` RGB, sides multiples of 32."""
        pixels = (images.numpy().astype(np.float32) - 127.5) / 128
        found = self.session.run(None, {self.input: pixels})
        levels = len(STRIDES)
        scores, distances, landmarks = (
            np.concatenate(found[kind * levels : (kind + 1) * levels], axis=1) for kind in range(3)
        )
        anchors = make_anchors(*images.shape[2:])
        centres, strides = anchors.centres.numpy(), anchors.strides.numpy()[:, None]
        faces = []
        for score, distance, landmark in zip(scores[..., 0], distances, landmarks, strict=True):
            sure = score >= LEAST_SCORE
            centre, reach = centres[sure], distance[sure] * strides[sure]
            boxes = np.concatenate([centre - reach[:, :2], centre + reach[:, 2:]], 1)
            points = centre[:, None] + (landmark[sure] * strides[sure]).reshape(-1, 5, 2)
            faces.append(strongest(Faces(boxes, points, score[sure])))
        return Judgement(found[3 * levels :], faces)


def strongest(faces: Faces) -> Faces:
    """Drop every face that overlaps a stronger one by an IoU of `OVERLAP`; strongest first."""
    left = np.argsort(-faces.scores, kind="stable")
    overlap, kept = pairwise_iou(faces.boxes, faces.boxes), []
    while len(left):
        kept.append(left[0])
        left = left[1:][overlap[left[0], left[1:]] < OVERLAP]
    chosen = np.array(kept, dtype=np.int64)
    return Faces(faces.boxes[chosen], faces.landmarks[chosen], faces.scores[chosen])


def settle(labels: Faces, judged: Faces) -> Faces:
    """The faces that a canvas demands: those that the teacher sees on it.

    Faces that only the `labels` of the photos on it know are doubtful: they score at most
    `LEAST_SCORE`.
    """
    overlap = pairwise_iou(labels.boxes, judged.boxes)
    unseen = labels.select(np.asarray(overlap.max(1, initial=0) < 0.5))
    weak = np.minimum(unseen.scores, np.float32(LEAST_SCORE))
    return Faces(
        np.concatenate([judged.boxes, unseen.boxes]),
        np.concatenate([judged.landmarks, unseen.landmarks]),
        np.concatenate([judged.scores, weak]),
    )
