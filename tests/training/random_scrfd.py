"""A small network of random weights, built and named as insightface's SCRFD, as an ONNX file."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)
STAGES = ((4, 1), (6, 2), (6, 1), (8, 1))
PYRAMID, HEAD = 4, 6
KINDS = (("cls", 1), ("reg", 4), ("kps", 10))


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.down = nn.Sequential(nn.AvgPool2d(stride), nn.Conv2d(inputs, outputs, 1))
        self.halves = stride > 1

    def forward(self, x: Tensor) -> Tensor:
        short = self.down(x) if self.halves else x
        return F.relu(self.conv2(F.relu(self.conv1(x))) + short)


class RandomScrfd(nn.Module):
    """The layout of insightface's SCRFD-2.5G with few channels; faces where chance puts them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()
        )
        self.layers = nn.ModuleList()
        before = 4
        for stage, (channels, count) in enumerate(STAGES):
            strides = [1 + (stage > 0), *[1] * (count - 1)]
            self.layers.append(
                nn.ModuleList(
                    Block(channels if k else before, channels, s) for k, s in enumerate(strides)
                )
            )
            before = channels
        self.lateral = nn.ModuleList(nn.Conv2d(c, PYRAMID, 1) for c, _ in STAGES[1:])
        self.out = nn.ModuleList(nn.Conv2d(PYRAMID, PYRAMID, 3, padding=1) for _ in STRIDES)
        self.trunks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(PYRAMID, HEAD, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(HEAD, HEAD, 3, padding=1),
                nn.ReLU(),
            )
            for _ in STRIDES
        )
        self.bbox_head = nn.Module()
        for kind, width in KINDS:
            convs = {f"({s}, {s})": nn.Conv2d(HEAD, 2 * width, 3, padding=1) for s in STRIDES}
            setattr(self.bbox_head, f"stride_{kind}", nn.ModuleDict(convs))
        with torch.no_grad():
            for name, value in self.named_parameters():
                if name.endswith("weight"):
                    value.mul_(2.5)

    def parts(self, x: Tensor) -> list[Tensor]:
        """Outputs of the stem, the blocks, the pyramid's levels, the heads' trunks."""
        x = F.max_pool2d(self.stem(x), 2)
        found, ends = [x], []
        for layer in self.layers:
            for block in layer:
                x = block(x)
                found.append(x)
            ends.append(x)
        levels = [lateral(x) for lateral, x in zip(self.lateral, ends[1:], strict=True)]
        for k in (1, 0):
            levels[k] = levels[k] + F.interpolate(levels[k + 1], scale_factor=2.0)
        levels = [out(level) for out, level in zip(self.out, levels, strict=True)]
        trunks = [trunk(level) for trunk, level in zip(self.trunks, levels, strict=True)]
        return [*found, *levels, *trunks]

    def forward(self, x: Tensor) -> list[Tensor]:
        features = self.parts(x)[-len(STRIDES) :]
        outputs = []
        for kind, width in KINDS:
            for stride, seen in zip(STRIDES, features, strict=True):
                raw = getattr(self.bbox_head, f"stride_{kind}")[f"({stride}, {stride})"](seen)
                out = raw.permute(0, 2, 3, 1).reshape(x.shape[0], -1, width)
                outputs.append((3 * out - 2).sigmoid() if kind == "cls" else out + 1.5)
        return outputs


def write_onnx(net: nn.Module, path: Path, size: int = 64) -> None:
    """Write a network for pictures of one size, as the teacher is one for 640×640."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(),
            (torch.zeros(1, 3, size, size),),
            str(path),
            input_names=["images"],
            dynamic_axes={"images": {0: "batch"}},
            opset_version=13,
            dynamo=False,
        )


def write_scrfd(path: Path) -> RandomScrfd:
    """Write a random network."""
    torch.manual_seed(5)
    net = RandomScrfd()
    write_onnx(net, path)
    return net


def pictures(count: int, height: int = 64, width: int = 64) -> Tensor:
    """Random RGB pictures, `[count, 3, height, width]`, in [−1, 1]."""
    grain = torch.rand(count, 3, height // 8, width // 8)
    return 2 * F.interpolate(grain, (height, width)) - 1
