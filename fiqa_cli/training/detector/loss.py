"""How far a student is from its teacher: in what it answers, and in what its parts put out."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from fiqa_cli.networks.scrfd import ANCHORS, STRIDES, Predictions
from fiqa_cli.training.detector.anchors import Anchors
from fiqa_cli.training.detector.teacher import Answers

LEAST_ANSWER = 0.1
"""Score from which an anchor's box and landmarks are learnt; below it they are of no face."""
FOCUS = 1.5
"""Power of a score's error that weighs it: 2, the quality focal loss's, would leave the scores near
the threshold alone, 1 would spend most on backgrounds."""
UNDECIDED = 3.0
"""How much more answers weigh where the teacher is hardly surer than not."""
NEARLY = 0.15
"""Distance of a score from one half that lowers how undecided it is to 1 / e."""
LANDMARKS = 20.0
"""Weight of the landmarks' error, in sides of the face, beside one of a score."""
LEAST_SPREAD = 0.05
"""Of a channel, in means of all channels of its part: one that hardly changes hardly matters."""


class Losses(NamedTuple):
    """The terms of an answer's loss, weighted."""

    score: Tensor
    box: Tensor
    landmark: Tensor


def part_loss(own: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared distance of features `[N, C, H, W]` from the teacher's, in its variances.

    The variances are those of the batch, of each channel for itself, since the teacher's channels
    differ in scale. `own` may be of the first pictures of the batch alone.
    """
    spread = teacher.var((0, 2, 3), keepdim=True)
    spread = spread + LEAST_SPREAD * spread.mean()
    distance = (own - teacher[: len(own)]).square() / spread.clamp(min=1e-12)
    return distance.mean()


def part_losses(own: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """The `part_loss` of each part, `[parts]`."""
    return torch.stack([part_loss(x.float(), y) for x, y in zip(own, teacher, strict=True)])


def answer_loss(predictions: Predictions, anchors: Anchors, answers: Answers) -> Losses:
    """Compare the predictions for N canvases with the teacher's answers.

    Scores as in the quality focal loss (Li et al., 2020) with the answer in the place of the
    quality; boxes by distance-IoU and landmarks in sides of the face, weighted by the score.
    Where the teacher is `nearly_undecided`, all weigh up to 1 + `UNDECIDED` times as much.
    """
    counted = 1 + UNDECIDED * nearly_undecided(answers.scores, anchors)
    weight = answers.scores * counted * (answers.scores >= LEAST_ANSWER)
    total = weight.sum().clamp(min=1.0)
    error = (answers.scores - predictions.logits.detach().sigmoid()).abs() ** FOCUS
    score = F.binary_cross_entropy_with_logits(
        predictions.logits, answers.scores, weight=error * counted, reduction="sum"
    )

    row, column = weight.nonzero(as_tuple=True)
    weight = weight[row, column]
    own, wanted = (
        anchors.boxes(distances[row, column], column)
        for distances in (predictions.distances, answers.distances)
    )
    side = (wanted[:, 2:] - wanted[:, :2]).clamp(min=1).prod(-1).sqrt()[:, None]
    apart = (predictions.landmarks - answers.landmarks)[row, column] * anchors.strides[column, None]
    landmark = F.smooth_l1_loss(
        apart / side, torch.zeros_like(apart), beta=0.005, reduction="none"
    ).mean(1)
    return Losses(
        4 * score / total,
        2 * ((1 - distance_iou(own, wanted)) * weight).sum() / total,
        LANDMARKS * (landmark * weight).sum() / total,
    )


def distance_iou(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Distance-IoU (Zheng et al., 2020) `[P]` of boxes `[P, 4]` pairwise."""
    low = torch.maximum(predicted[:, :2], wanted[:, :2])
    high = torch.minimum(predicted[:, 2:], wanted[:, 2:])
    overlap = (high - low).clamp(min=0).prod(-1)
    area = (predicted[:, 2:] - predicted[:, :2]).clamp(min=0).prod(-1)
    union = area + (wanted[:, 2:] - wanted[:, :2]).prod(-1) - overlap
    iou = overlap / union.clamp(min=1e-6)
    hull = torch.maximum(predicted[:, 2:], wanted[:, 2:]) - torch.minimum(
        predicted[:, :2], wanted[:, :2]
    )
    apart = (predicted[:, :2] + predicted[:, 2:] - wanted[:, :2] - wanted[:, 2:]) / 2
    return iou - apart.square().sum(-1) / hull.square().sum(-1).clamp(min=1e-6)


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
        close = torch.exp(-(((peak - 0.5) / NEARLY) ** 2))
        near.append(close[..., None].expand(-1, -1, -1, ANCHORS).flatten(1))
    return torch.cat(near, 1)
