"""What the teacher answers at every anchor: more than the few faces that are left of it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fiqa_cli.networks.scrfd import ANCHORS, STRIDES, Predictions
from fiqa_cli.training.detector.assignment import Anchors
from fiqa_cli.training.detector.loss import Losses, anchor_boxes, box_overlap
from fiqa_cli.training.detector.teacher import read_teacher, start

LEAST_ANSWER = 0.1
"""Score from which an anchor's box and landmarks are learnt; below it they are of no face."""
FOCUS = 1.5
"""Power of a score's error that weighs it: 2, the quality focal loss's, would leave the scores near
the threshold alone, 1 would spend most on backgrounds."""
UNDECIDED = 0.15
"""Distance of a score from one half that lowers how undecided it is to 1 / e."""
SCORE_WEIGHT = 4.0
"""Of the score's term, which is smaller where targets are answers and not 0 and 1."""


class Answers(NamedTuple):
    """Of N canvases with A anchors each, in the order of `Predictions`."""

    scores: Tensor
    """`[N, A]` in [0, 1]."""
    distances: Tensor
    """`[N, A, 4]`, in strides."""
    landmarks: Tensor
    """`[N, A, 10]`, in strides."""


class TeacherHead:
    """The last layers of an SCRFD network: from the features that a memory keeps to its answers."""

    def __init__(self, path: Path) -> None:
        """Load the ONNX file `path`.

        Raises `FiqaError` if its layers are not named as insightface names them.
        """
        import onnx

        model, self.names = read_teacher(path)
        for name in self.names:
            model.graph.value_info.append(
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None] * 4)
            )
        # Some exports take the shapes of their outputs from the picture.
        self.input = model.graph.input[0].name
        outputs = [output.name for output in model.graph.output]
        extract = onnx.utils.Extractor(model).extract_model
        self.session = start(extract([*self.names, self.input], outputs), 1)

    def __call__(self, features: Sequence[Tensor]) -> Answers:
        """Read the answers from the features `[N, C, H / stride, W / stride]` of each level."""
        count, _, height, width = features[0].shape
        shape = (count, 3, height * STRIDES[0], width * STRIDES[0])
        inputs = {self.input: np.zeros(shape, np.float32)}
        inputs |= {
            name: level.float().numpy() for name, level in zip(self.names, features, strict=True)
        }
        found = self.session.run(None, inputs)
        levels = len(STRIDES)
        scores, distances, landmarks = (
            torch.from_numpy(np.concatenate(found[kind * levels : (kind + 1) * levels], axis=1))
            for kind in range(3)
        )
        return Answers(scores[..., 0], distances, landmarks)


def answer_loss(
    predictions: Predictions,
    anchors: Anchors,
    answers: Answers,
    counted: Tensor,
    undecided: float = 0.0,
) -> Losses:
    """Compare the predictions for N canvases with the teacher's answers, where `counted [N, A]`.

    Scores as in the quality focal loss (Li et al., 2020) with the answer in the place of the
    quality; boxes by distance-IoU and landmarks in sides of the face, weighted by the score.
    Where the teacher is `nearly_undecided`, all weigh up to 1 + `undecided` times as much.
    """
    if undecided:
        counted = counted * (1 + undecided * nearly_undecided(answers.scores, anchors))
    weight = answers.scores * counted * (answers.scores >= LEAST_ANSWER)
    total = weight.sum().clamp(min=1.0)
    error = (answers.scores - predictions.logits.detach().sigmoid()).abs() ** FOCUS
    score = F.binary_cross_entropy_with_logits(
        predictions.logits, answers.scores, weight=error * counted, reduction="sum"
    )

    row, column = weight.nonzero(as_tuple=True)
    weight = weight[row, column]
    own, wanted = (
        anchor_boxes(distances[row, column], anchors, column)
        for distances in (predictions.distances, answers.distances)
    )
    _, diou = box_overlap(own, wanted)
    side = (wanted[:, 2:] - wanted[:, :2]).clamp(min=1).prod(-1).sqrt()[:, None]
    apart = (predictions.landmarks - answers.landmarks)[row, column] * anchors.strides[column, None]
    landmark = F.smooth_l1_loss(
        apart / side, torch.zeros_like(apart), beta=0.005, reduction="none"
    ).mean(1)
    return Losses(
        SCORE_WEIGHT * score / total,
        ((1 - diou) * weight).sum() / total,
        (landmark * weight).sum() / total,
    )


def nearly_undecided(scores: Tensor, anchors: Anchors) -> Tensor:
    """How near `[N, A]`, in [0, 1], the best score about each anchor is to one half.

    The best of the 5 by 5 places about it on its level counts: the lesser scores about a face do
    not decide whether it is found. Canvases are square.
    """
    near = []
    for stride in STRIDES:
        level = scores[:, anchors.strides == stride]
        side = math.isqrt(level.shape[1] // ANCHORS)
        best = level.reshape(-1, side, side, ANCHORS).amax(3)
        peak = F.max_pool2d(best, 5, 1, 2)
        close = torch.exp(-(((peak - 0.5) / UNDECIDED) ** 2))
        near.append(close[..., None].expand(-1, -1, -1, ANCHORS).flatten(1))
    return torch.cat(near, 1)


def readable(answers: Answers, anchors: Anchors, factors: Sequence[float], least: float) -> Tensor:
    """Where `[N, A]` an answer still holds on canvases that lost detail after it was given.

    `factors` are 1 or more, by how much the resolution of each canvas fell. An answer does not hold
    where its face has a side below `least` pixels once divided by that.
    """
    extents = answers.distances[..., :2] + answers.distances[..., 2:]
    sides = extents.clamp(min=0).prod(-1).sqrt() * anchors.strides
    fell = torch.tensor(factors)[:, None]
    return (fell == 1) | (sides / fell >= least)
