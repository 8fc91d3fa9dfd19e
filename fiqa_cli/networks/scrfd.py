"""A single-shot face detector: SCRFD (Guo et al., 2021) with regular convolutions.

Three levels at strides 8, 16 and 32, two anchors per location. An anchor has a centre (the pixel
at its cell's top-left corner) and no shape: boxes are four distances and landmarks five offsets
from the centre, all in units of the stride, as insightface's `SCRFD` class decodes them.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)
ANCHOR_SIZES = ((16.0, 32.0), (64.0, 128.0), (256.0, 512.0))
"""Side in pixels of the faces for which each anchor of each level answers."""
ANCHORS = 2
KINDS = (1, 4, 10)
"""Numbers that tell the score, the box and the landmarks of an anchor."""
STEM = 16
"""Channels of the stem before its last convolution."""


class Layout(NamedTuple):
    """How many channels and blocks a network has: by default those of SCRFD-2.5G."""

    stages: tuple[tuple[int, int], ...] = ((24, 3), (48, 5), (48, 3), (80, 2))
    """Channels and blocks at strides 4, 8, 16 and 32, after a stem of the channels of the first."""
    pyramid: int = 24
    """Channels of each level of the pyramid."""
    head: int = 64
    """Channels of each head's features."""


LAYOUT = Layout()


class Predictions(NamedTuple):
    """Raw outputs of all levels concatenated, stride 8 first; rows ordered (y, x, anchor)."""

    logits: Tensor
    """`[N, A]`: face logit of every anchor."""
    distances: Tensor
    """`[N, A, 4]`: left, top, right, bottom, in strides."""
    landmarks: Tensor
    """`[N, A, 10]`: x, y of five landmarks relative to the centre, in strides."""


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3×3 convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two 3×3 convolutions, through a third more channels, around an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = round(channels / 6) * 8
        self.first = conv(channels, hidden)
        self.second = nn.Sequential(
            nn.Conv2d(hidden, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        # Each block starts nearly as the identity.
        nn.init.constant_(self.second[1].weight, 0.05)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map `[N, channels, H, W]` to the same shape."""
        return F.relu(x + self.second(self.first(x)), inplace=True)


class Halving(nn.Module):
    """Two 3×3 convolutions, the first of stride 2, around a 2×2 one of stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = conv(inputs, outputs, 2)
        self.second = nn.Sequential(
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)
        )
        self.short = nn.Sequential(
            nn.Conv2d(inputs, outputs, 2, 2, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `[N, inputs, H, W]` to `[N, outputs, H / 2, W / 2]`."""
        return F.relu(self.short(x) + self.second(self.first(x)), inplace=True)


class Pyramid(nn.Module):
    """Three levels, each of which hears of the coarser ones, then of the finer ones (PAFPN)."""

    def __init__(self, inputs: Sequence[int], channels: int) -> None:
        super().__init__()

        def smooth(stride: int = 1) -> nn.Conv2d:
            return nn.Conv2d(channels, channels, 3, stride, 1)

        self.laterals = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in inputs)
        self.smooth = nn.ModuleList(smooth() for _ in inputs)
        self.downs = nn.ModuleList(smooth(2) for _ in inputs[1:])
        self.last = nn.ModuleList(smooth() for _ in inputs[1:])

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Map features of strides 8, 16, 32 to as many with `channels` channels."""
        found = [lateral(x) for lateral, x in zip(self.laterals, levels, strict=True)]
        for fine, coarse in ((1, 2), (0, 1)):
            found[fine] = found[fine] + F.interpolate(found[coarse], scale_factor=2.0)
        found = [smooth(x) for smooth, x in zip(self.smooth, found, strict=True)]
        for (fine, coarse), down in zip(((0, 1), (1, 2)), self.downs, strict=True):
            found[coarse] = found[coarse] + down(found[fine])
        return [found[0], *(last(x) for last, x in zip(self.last, found[1:], strict=True))]


class Head(nn.Module):
    """Two 3×3 convolutions, then one for all predictions; distances in halves of the anchor."""

    scale: Tensor

    def __init__(self, inputs: int, channels: int, stride: int, sizes: tuple[float, float]) -> None:
        super().__init__()
        self.trunk = nn.Sequential(conv(inputs, channels), conv(channels, channels))
        self.answers = nn.Conv2d(channels, sum(KINDS) * ANCHORS, 3, padding=1)
        self.register_buffer("scale", torch.tensor(sizes)[:, None] / (2 * stride), persistent=False)
        score, box, _ = self._split(self.answers.bias)  # type: ignore[arg-type]
        # Prior face probability 0.01 (focal loss, Lin et al., 2017): no flood of negatives.
        nn.init.constant_(score, -4.6)
        # A box of the anchor's size: no box is empty at first.
        nn.init.constant_(box, 1.0)

    def _split(self, x: Tensor, axis: int = 0) -> tuple[Tensor, ...]:
        return torch.split(x, [kind * ANCHORS for kind in KINDS], axis)

    @torch.no_grad()
    def shift_scores(self, by: float) -> None:
        """Add `by` to all logits, in place."""
        self._split(self.answers.bias)[0].add_(by)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map features `[N, channels, H, W]` to logits, distances, landmarks of H·W·2 anchors."""
        score, box, landmark = (
            y.permute(0, 2, 3, 1).reshape(y.shape[0], -1, ANCHORS, width)
            for y, width in zip(self._split(self.answers(x), 1), KINDS, strict=True)
        )
        return (
            score.flatten(1, 2),
            (box * self.scale).flatten(1, 2),
            (landmark * self.scale).flatten(1, 2),
        )


class Scrfd(nn.Module):
    """Stem, residual blocks, pyramid and one head per level.

    Input `[N, 3, H, W]` RGB, (x − 127.5) / 128, H and W multiples of 32. Its parts are the stem,
    each block, the three levels of the pyramid (one part that has three outputs) and the trunks of
    the three heads.
    """

    def __init__(self, layout: Layout = LAYOUT) -> None:
        super().__init__()
        (finest, _), *_ = layout.stages
        stem = nn.Sequential(conv(3, STEM, 2), conv(STEM, STEM), conv(STEM, finest))
        blocks: list[nn.Module] = [nn.Sequential(*stem, nn.MaxPool2d(2))]
        self.shares = [4]
        """What part of a batch suffices for each block: one in so many of its pictures."""
        self.ends = []
        """Places of the blocks that the pyramid reads."""
        before = finest
        for stage, (channels, count) in enumerate(layout.stages):
            if stage:
                blocks.append(Halving(before, channels))
            blocks += [Residual(channels) for _ in range(count - bool(stage))]
            self.shares += [max(1, 4 >> stage)] * count
            self.ends += [len(blocks) - 1] if stage else []
            before = channels
        self.blocks = nn.ModuleList(blocks)
        widths = [channels for channels, _ in layout.stages[1:]]
        self.pyramid = Pyramid(widths, layout.pyramid)
        self.heads = nn.ModuleList(
            Head(layout.pyramid, layout.head, stride, sizes)
            for stride, sizes in zip(STRIDES, ANCHOR_SIZES, strict=True)
        )

    def parts(self, pictures: Tensor, told: Sequence[Tensor] | None = None) -> list[Tensor]:
        """What comes out of each part, in the order of the network.

        With `told`, what ought to come out, no part hears of another one but reads that. Blocks of
        fine strides then see a part of the batch alone: their many places teach enough.
        """
        x = pictures
        found: list[Tensor] = []
        for place, (block, share) in enumerate(zip(self.blocks, self.shares, strict=True)):
            if told is not None:
                x = (told[place - 1] if place else pictures)[: -(-len(pictures) // share)]
            x = block(x)
            found.append(x)
        heard = found if told is None else told
        found += self.pyramid([heard[end] for end in self.ends])
        levels = heard[len(self.blocks) :][: len(STRIDES)]
        heads = (cast(Head, head) for head in self.heads)
        return [*found, *(head.trunk(y) for head, y in zip(heads, levels, strict=True))]

    def features(self, x: Tensor) -> list[Tensor]:
        """What the predictions of each level are read from: `[N, C, H / stride, W / stride]`."""
        return self.parts(x)[-len(STRIDES) :]

    def levels(self, features: Sequence[Tensor]) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Logits `[N, A, 1]`, distances `[N, A, 4]`, landmarks `[N, A, 10]` of each level."""
        return [head(y) for head, y in zip(self.heads, features, strict=True)]

    def forward(self, x: Tensor) -> Predictions:
        """Return the predictions of all levels, concatenated."""
        return self.predict(self.features(x))

    def predict(self, features: Sequence[Tensor]) -> Predictions:
        """Return the predictions read from the features of all levels, concatenated."""
        logits, distances, landmarks = zip(*self.levels(features), strict=True)
        return Predictions(
            torch.cat(logits, 1).squeeze(-1), torch.cat(distances, 1), torch.cat(landmarks, 1)
        )
