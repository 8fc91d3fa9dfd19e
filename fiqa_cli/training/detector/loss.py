"""The detector's loss: quality focal, distance-IoU and landmark terms."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from fiqa_cli.networks.scrfd import Predictions
from fiqa_cli.training.detector.assignment import IGNORED, Anchors, assign


class Target(NamedTuple):
    """What one canvas demands."""

    boxes: Tensor
    """`[F, 4]`: x1, y1, x2, y2 in pixels."""
    landmarks: Tensor
    """`[F, 10]`: x, y of five landmarks in pixels."""
    sure: Tensor
    """`[F]` bool: to be found (true) or to be ignored (false)."""


class Losses(NamedTuple):
    """The three terms, each per positive anchor, before weighting."""

    score: Tensor
    box: Tensor
    landmark: Tensor

    def total(self, landmark_weight: float) -> Tensor:
        """Weighted sum of the terms."""
        return self.score + 2 * self.box + landmark_weight * self.landmark


def anchor_boxes(distances: Tensor, anchors: Anchors, chosen: Tensor) -> Tensor:
    """Boxes `[P, 4]` (x1, y1, x2, y2) in pixels of the anchors `chosen [P]`.

    `distances [P, 4]` are left, top, right, bottom, in strides.
    """
    centre, reach = anchors.centres[chosen], distances * anchors.strides[chosen, None]
    return torch.cat([centre - reach[:, :2], centre + reach[:, 2:]], 1)


def box_overlap(predicted: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and distance-IoU (Zheng et al., 2020), each `[P]`, of boxes `[P, 4]` pairwise."""
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
    return iou, iou - apart.square().sum(-1) / hull.square().sum(-1).clamp(min=1e-6)


def detector_loss(predictions: Predictions, anchors: Anchors, targets: list[Target]) -> Losses:
    """Compare the predictions for N canvases with their N targets.

    The score's target is (1 + IoU) / 2 of the predicted box (quality focal loss, Li et al., 2020,
    with beta 2; halved towards 1 so that a box not yet learnt does not push its face's score
    down). Landmark errors are measured in sides of the face.
    """
    wanted_scores = torch.zeros_like(predictions.logits)
    counted = torch.ones_like(predictions.logits, dtype=torch.bool)
    rows, columns, boxes, landmarks = [], [], [], []
    for canvas, target in enumerate(targets):
        face = assign(anchors, target.boxes, target.sure)
        counted[canvas] = face != IGNORED
        found = (face >= 0).nonzero().squeeze(1)
        rows.append(torch.full_like(found, canvas))
        columns.append(found)
        boxes.append(target.boxes[face[found]])
        landmarks.append(target.landmarks[face[found]])
    row, column = torch.cat(rows), torch.cat(columns)
    box, landmark = torch.cat(boxes), torch.cat(landmarks)

    centre, stride = anchors.centres[column], anchors.strides[column, None]
    iou, diou = box_overlap(anchor_boxes(predictions.distances[row, column], anchors, column), box)
    wanted_scores[row, column] = (1 + iou.detach()) / 2

    modulation = (wanted_scores - predictions.logits.detach().sigmoid()).square()
    score = F.binary_cross_entropy_with_logits(
        predictions.logits, wanted_scores, weight=modulation * counted, reduction="sum"
    )
    side = (box[:, 2:] - box[:, :2]).prod(-1).sqrt()[:, None]
    error = (predictions.landmarks[row, column] * stride + centre.repeat(1, 5) - landmark) / side
    positives = max(1, len(column))
    return Losses(
        score / positives,
        (1 - diou).sum() / positives,
        F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.005, reduction="sum")
        / (10 * positives),
    )


def imitation_loss(own: Tensor, teacher: Tensor, targets: list[Target], stride: int) -> Tensor:
    """Mean squared distance between features `[N, C, H, W]` and the teacher's, standardised.

    Standardised per channel over the batch, as in Pearson distillation (Cao et al., 2022), since
    the teacher's channels differ in scale. Faces and background weigh half each.
    """
    teacher = teacher.float()
    spread, mean = torch.std_mean(teacher, (0, 2, 3), keepdim=True)
    error = (own - (teacher - mean) / spread.clamp(min=1e-3)).square().mean(1)
    count, height, width = error.shape
    x, y = (torch.arange(extent, device=own.device) * stride for extent in (width, height))
    y = y[:, None]
    face = torch.zeros(count, height, width, dtype=torch.bool, device=own.device)
    for canvas, target in enumerate(targets):
        for left, top, right, bottom in target.boxes.tolist():
            face[canvas] |= (x > left) & (x < right) & (y > top) & (y < bottom)
    parts = [error[part].mean() for part in (face, ~face) if part.any()]
    return torch.stack(parts).mean()
