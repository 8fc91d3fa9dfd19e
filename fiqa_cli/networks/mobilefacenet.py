"""MobileFaceNet (Chen et al., 2018), the backbone of eDifFIQA(T), with the official names."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvBlock(nn.Sequential):
    """Convolution, batch normalisation and, unless `linear`, a PReLU per channel."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        if not linear:
            self.prelu = nn.PReLU(outputs)


class Bottleneck(nn.Module):
    """Expand by 1×1, filter by depthwise 3×3, project by 1×1; add the input if `residual`."""

    def __init__(
        self, inputs: int, outputs: int, width: int, stride: int = 1, residual: bool = False
    ) -> None:
        super().__init__()
        self.conv = ConvBlock(inputs, width, 1)
        self.conv_dw = ConvBlock(width, width, 3, stride, 1, groups=width)
        self.project = ConvBlock(width, outputs, 1, linear=True)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.project(self.conv_dw(self.conv(x)))
        return x + out if self.residual else out


class Residual(nn.Module):
    """`count` residual bottlenecks of the same width."""

    def __init__(self, channels: int, count: int, width: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            *(Bottleneck(channels, channels, width, residual=True) for _ in range(count))
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)
        return out


class MobileFaceNet(nn.Module):
    """Face recogniser: `[N, 3, 112, 112]` float in [-1, 1] to `[N, features]`.

    The output is L2-normalised unless `normalised` is false.
    """

    def __init__(self, features: int = 512, *, normalised: bool = True) -> None:
        super().__init__()
        self.normalised = normalised
        self.conv1 = ConvBlock(3, 64, 3, 2, 1)
        self.conv2_dw = ConvBlock(64, 64, 3, 1, 1, groups=64)
        self.conv_23 = Bottleneck(64, 64, 128, stride=2)
        self.conv_3 = Residual(64, 4, 128)
        self.conv_34 = Bottleneck(64, 128, 256, stride=2)
        self.conv_4 = Residual(128, 6, 256)
        self.conv_45 = Bottleneck(128, 128, 512, stride=2)
        self.conv_5 = Residual(128, 2, 256)
        self.conv_6_sep = ConvBlock(128, 512, 1)
        self.conv_6_dw = ConvBlock(512, 512, 7, groups=512, linear=True)
        self.linear = nn.Linear(512, features, bias=False)
        self.bn = nn.BatchNorm1d(features)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_23(self.conv2_dw(self.conv1(x)))
        x = self.conv_34(self.conv_3(x))
        x = self.conv_45(self.conv_4(x))
        x = self.conv_6_dw(self.conv_6_sep(self.conv_5(x)))
        out: Tensor = self.bn(self.linear(torch.flatten(x, 1)))
        return F.normalize(out) if self.normalised else out
