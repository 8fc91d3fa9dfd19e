"""IResNet (Duta et al., 2020) as in insightface: the recognisers and eDifFIQA's backbones."""

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Batch norm, 3×3, batch norm, PReLU, 3×3 with `stride`, batch norm; plus the input."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
            if stride != 1
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x))))))
        return out + identity


class IResNet(nn.Module):
    """Face recogniser: `[N, 3, 112, 112]` float in [-1, 1] to `[N, 512]`, not normalised."""

    def __init__(self, blocks: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU(64)
        self.layer1 = _stage(64, 64, blocks[0])
        self.layer2 = _stage(64, 128, blocks[1])
        self.layer3 = _stage(128, 256, blocks[2])
        self.layer4 = _stage(256, 512, blocks[3])
        self.bn2 = nn.BatchNorm2d(512)
        self.fc = nn.Linear(512 * 7 * 7, 512)
        self.features = nn.BatchNorm1d(512)

    def forward(self, x: Tensor) -> Tensor:
        x = self.prelu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        out: Tensor = self.features(self.fc(torch.flatten(self.bn2(x), 1)))
        return out


def _stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    first = Block(inputs, outputs, 2)
    return nn.Sequential(first, *(Block(outputs, outputs, 1) for _ in range(blocks - 1)))


def iresnet18() -> IResNet:
    """The recogniser behind eDifFIQA(S), 24.0 M parameters."""
    return IResNet((2, 2, 2, 2))


def iresnet50() -> IResNet:
    """The recogniser behind eDifFIQA(M), 43.6 M parameters."""
    return IResNet((3, 4, 14, 3))


def iresnet100() -> IResNet:
    """The recogniser behind eDifFIQA(L), DifFIQA(R) and CosFace-R100, 65.2 M parameters."""
    return IResNet((3, 13, 30, 3))
