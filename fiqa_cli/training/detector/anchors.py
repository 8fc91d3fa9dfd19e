"""Where the anchors of a canvas lie, and what boxes their distances span."""

from typing import NamedTuple

import torch
from torch import Tensor

from fiqa_cli.networks.scrfd import ANCHORS, STRIDES


class Anchors(NamedTuple):
    """All anchors of a canvas, in the order of `Predictions`."""

    centres: Tensor
    """`[A, 2]`: x, y in pixels."""
    strides: Tensor
    """`[A]` in pixels."""

    def to(self, device: torch.device) -> "Anchors":
        """The same on another device."""
        return Anchors(*(value.to(device) for value in self))

    def boxes(self, distances: Tensor, chosen: Tensor) -> Tensor:
        """Boxes `[P, 4]` (x1, y1, x2, y2) in pixels of the anchors `chosen [P]`.

        `distances [P, 4]` are left, top, right, bottom, in strides.
        """
        centre, reach = self.centres[chosen], distances * self.strides[chosen, None]
        return torch.cat([centre - reach[:, :2], centre + reach[:, 2:]], 1)


def make_anchors(height: int, width: int) -> Anchors:
    """Lay out the anchors of a canvas, whose sides are multiples of 32 pixels."""
    centres, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(
            torch.arange(height // stride), torch.arange(width // stride), indexing="ij"
        )
        centre = torch.stack([x, y], -1).reshape(-1, 2).repeat_interleave(ANCHORS, 0) * stride
        centres.append(centre.float())
        strides.append(torch.full((len(centre),), float(stride)))
    return Anchors(torch.cat(centres), torch.cat(strides))
