"""A small single-shot face detector after SCRFD (Guo et al., 2021), with regular convolutions.

Three levels at strides 8, 16 and 32, two anchors per location. An anchor has a centre (the pixel
at its cell's top-left corner) and no shape: boxes are four distances and landmarks five offsets
from the centre, all in units of the stride, as insightface's `SCRFD` class decodes them.
"""

import itertools
from collections.abc import Mapping
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)
ANCHOR_SIZES = ((16.0, 32.0), (64.0, 128.0), (256.0, 512.0))
"""Side in pixels of the faces for which each anchor of each level answers."""
ANCHORS = 2
WIDTHS = ((24, 32, 48, 80), (32, 48, 64, 96))
"""Channels at strides 4, 8, 16, 32; before and after the training has added some."""
PYRAMIDS = ((32, 48, 64), (48, 48, 64))
"""Channels of the levels at strides 8, 16, 32, likewise."""


class Predictions(NamedTuple):
    """Raw outputs of all levels concatenated, stride 8 first; rows ordered (y, x, anchor)."""

    logits: Tensor
    """`[N, A]`: face logit of every anchor."""
    distances: Tensor
    """`[N, A, 4]`: left, top, right, bottom, in strides."""
    landmarks: Tensor
    """`[N, A, 10]`: x, y of five landmarks relative to the centre, in strides."""


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU."""
    padding = (kernel - stride + 1) // 2 if kernel > 1 else 0
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two 3×3 convolutions, through `hidden` channels, around an identity."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.first = conv(channels, hidden)
        self.second = nn.Sequential(
            nn.Conv2d(hidden, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        # Each block starts as the identity, so that blocks can join a trained network.
        nn.init.zeros_(self.second[1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map `[N, channels, H, W]` to the same shape."""
        return F.relu(x + self.second(self.first(x)), inplace=True)


class Head(nn.Module):
    """A 3×3 convolution, `depth` blocks, 1×1 predictions; distances in halves of the anchor."""

    scale: Tensor

    def __init__(self, channels: int, stride: int, sizes: tuple[float, float], depth: int) -> None:
        super().__init__()
        self.trunk = conv(channels, channels)
        self.deeper = nn.Sequential(*(Residual(channels, channels) for _ in range(depth)))
        self.score = nn.Conv2d(channels, ANCHORS, 1)
        self.box = nn.Conv2d(channels, ANCHORS * 4, 1)
        self.landmark = nn.Conv2d(channels, ANCHORS * 10, 1)
        self.register_buffer("scale", torch.tensor(sizes)[:, None] / (2 * stride), persistent=False)
        # Prior face probability 0.01 (focal loss, Lin et al., 2017): no flood of negatives.
        nn.init.constant_(self.score.bias, -4.6)  # type: ignore[arg-type]
        # A box of the anchor's size: no box is empty at first.
        nn.init.constant_(self.box.bias, 1.0)  # type: ignore[arg-type]

    def features(self, x: Tensor) -> Tensor:
        """Map `[N, channels, H, W]` to the features, of the same shape, behind the predictions."""
        features: Tensor = self.deeper(self.trunk(x))
        return features

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map features `[N, channels, H, W]` to logits, distances, landmarks of H·W·2 anchors."""
        score, box, landmark = (
            y.permute(0, 2, 3, 1).reshape(y.shape[0], -1, ANCHORS, width)
            for y, width in ((self.score(x), 1), (self.box(x), 4), (self.landmark(x), 10))
        )
        return (
            score.flatten(1, 2),
            (box * self.scale).flatten(1, 2),
            (landmark * self.scale).flatten(1, 2),
        )


class Scrfd(nn.Module):
    """Backbone, top-down pyramid and one head per level.

    Input `[N, 3, H, W]` RGB, (x − 127.5) / 128, H and W multiples of 32. `depth` counts the
    steps, 0 to 3, in which the training has added blocks, `width` those, 0 or 1, in which it has
    added channels.
    """

    def __init__(self, depth: int = 2, width: int = 0) -> None:
        super().__init__()
        (stem, low, middle, high), pyramid = WIDTHS[width], PYRAMIDS[width]
        # One 6×6 convolution of stride 4: half the time of the usual two 3×3 of stride 2.
        self.stem = conv(3, stem, 6, 4)
        fine, coarse, coarsest = ((0, 1, 2), (0, 3, 3), (0, 3, 3), (1, 5, 4))[depth]
        self.stage8 = nn.Sequential(
            conv(stem, low, 3, 2),
            Residual(low, low // 2),
            *(Residual(low, low) for _ in range(fine)),
        )
        self.stage16 = nn.Sequential(
            conv(low, middle, 3, 2), *(Residual(middle, middle) for _ in range(coarse))
        )
        self.stage32 = nn.Sequential(
            conv(middle, high, 3, 2), *(Residual(high, high) for _ in range(coarsest))
        )
        self.laterals = nn.ModuleList(
            conv(inputs, outputs, 1)
            for inputs, outputs in zip((low, middle, high), pyramid, strict=True)
        )
        self.narrowings = nn.ModuleList(
            conv(above, below, 1) for below, above in itertools.pairwise(pyramid)
        )
        blocks = ((0, 0, 0), (0, 1, 1), (1, 1, 1), (1, 1, 1))[depth]
        self.heads = nn.ModuleList(map(Head, pyramid, STRIDES, ANCHOR_SIZES, blocks))
        self.channels = pyramid
        """Of the features of each level."""

    @torch.no_grad()
    def grow_from(self, state: Mapping[str, Tensor]) -> None:
        """Take over the weights `state` of a network with fewer blocks or channels.

        The channels that it has become the first ones of this one and hear no others: the function
        stays the same. The new ones start at random, and nothing listens to them yet
        (as Net2Net, Chen et al., 2016, but they need not break out of being copies).
        """
        for name, own in self.state_dict().items():
            old = state.get(name)
            if old is None:
                continue
            if own.dim() > 1:
                own[: len(old)] = 0
            own[tuple(map(slice, old.shape))] = old

    def features(self, x: Tensor) -> list[Tensor]:
        """What the predictions of each level are read from: `[N, C, H / stride, W / stride]`."""
        x = self.stem(x)
        features = []
        for stage, lateral in zip(
            (self.stage8, self.stage16, self.stage32), self.laterals, strict=True
        ):
            x = stage(x)
            features.append(lateral(x))
        for below in (1, 0):
            above = self.narrowings[below](features[below + 1])
            features[below] = features[below] + F.interpolate(above, scale_factor=2.0)
        heads = (cast(Head, head) for head in self.heads)
        return [head.features(y) for head, y in zip(heads, features, strict=True)]

    def levels(self, features: list[Tensor]) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Logits `[N, A, 1]`, distances `[N, A, 4]`, landmarks `[N, A, 10]` of each level."""
        return [head(y) for head, y in zip(self.heads, features, strict=True)]

    def forward(self, x: Tensor) -> Predictions:
        """Return the predictions of all levels, concatenated."""
        return self.predict(self.features(x))

    def predict(self, features: list[Tensor]) -> Predictions:
        """Return the predictions read from the features of all levels, concatenated."""
        logits, distances, landmarks = zip(*self.levels(features), strict=True)
        return Predictions(
            torch.cat(logits, 1).squeeze(-1), torch.cat(distances, 1), torch.cat(landmarks, 1)
        )
