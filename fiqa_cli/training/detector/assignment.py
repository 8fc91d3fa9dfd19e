"""Which anchor answers for which face."""

from typing import NamedTuple

import torch
from torch import Tensor

from fiqa_cli.networks.scrfd import ANCHOR_SIZES, ANCHORS, STRIDES

NEGATIVE = -1
IGNORED = -2

RADIUS = 1.5
"""A face's anchors lie within this many strides of its centre, in x and in y."""
OCTAVES = 0.7
"""An anchor answers for faces whose side is within this many octaves of its size."""
DOUBTFUL_OCTAVES = 1.3
"""From there up to this many octaves it may answer or not."""


class Anchors(NamedTuple):
    """All anchors of a canvas, in the order of `Predictions`."""

    centres: Tensor
    """`[A, 2]`: x, y in pixels."""
    strides: Tensor
    """`[A]` in pixels."""
    sizes: Tensor
    """`[A]`: side in pixels of the faces for which the anchor answers."""

    def to(self, device: torch.device) -> "Anchors":
        """The same on another device."""
        return Anchors(*(value.to(device) for value in self))


def make_anchors(height: int, width: int) -> Anchors:
    """Lay out the anchors of a canvas, whose sides are multiples of 32 pixels."""
    centres, strides, sizes = [], [], []
    for stride, pair in zip(STRIDES, ANCHOR_SIZES, strict=True):
        y, x = torch.meshgrid(
            torch.arange(height // stride), torch.arange(width // stride), indexing="ij"
        )
        centre = torch.stack([x, y], -1).reshape(-1, 2).repeat_interleave(ANCHORS, 0) * stride
        centres.append(centre.float())
        strides.append(torch.full((len(centre),), float(stride)))
        sizes.append(torch.tensor(pair).repeat(len(centre) // ANCHORS))
    return Anchors(torch.cat(centres), torch.cat(strides), torch.cat(sizes))


def assign(anchors: Anchors, boxes: Tensor, sure: Tensor) -> Tensor:
    """Return for every anchor `[A]` a face's index, `NEGATIVE` or `IGNORED`.

    `boxes` is `[F, 4]` (x1, y1, x2, y2) and `sure` `[F]` bool: anchors within a box that is not
    sure are ignored unless they answer for a sure face.
    """
    target = torch.full((len(anchors.sizes),), NEGATIVE, device=anchors.sizes.device)
    if not len(boxes):
        return target
    offset = anchors.centres[:, None] - (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = (
        (anchors.centres[:, None] > boxes[:, :2]) & (anchors.centres[:, None] < boxes[:, 2:])
    ).all(-1)
    distance = offset.abs().amax(-1)
    near = inside & (distance <= RADIUS * anchors.strides[:, None])
    side = (boxes[:, 2:] - boxes[:, :2]).prod(-1).sqrt()
    # The smallest anchor answers for every smaller face, the largest for every larger one.
    bounded = side.clamp(float(anchors.sizes.min()), float(anchors.sizes.max()))
    octaves = (bounded / anchors.sizes[:, None]).log2().abs()

    doubtful = (inside & ~sure) | (near & (octaves <= DOUBTFUL_OCTAVES))
    target[doubtful.any(1)] = IGNORED
    match = near & (octaves <= OCTAVES) & sure
    cost = torch.where(match, distance / side, torch.inf)
    best, face = cost.min(1)
    return torch.where(best.isfinite(), face, target)
