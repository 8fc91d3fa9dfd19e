"""A network of random weights under the layer names of insightface's SCRFD, as an ONNX file."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)


class Scrfd(nn.Module):
    """Few, random predictions from colours, with the parameter names of insightface's SCRFD."""

    def __init__(self) -> None:
        super().__init__()
        self.bbox_head = nn.Module()
        for kind, width in (("cls", 1), ("reg", 4), ("kps", 10)):
            convs = {f"({s}, {s})": nn.Conv2d(6, 2 * width, 1) for s in STRIDES}
            setattr(self.bbox_head, f"stride_{kind}", nn.ModuleDict(convs))

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs = []
        for kind, width in (("cls", 1), ("reg", 4), ("kps", 10)):
            for stride in STRIDES:
                seen = F.avg_pool2d(x, stride)
                conv = getattr(self.bbox_head, f"stride_{kind}")[f"({stride}, {stride})"]
                raw = conv(torch.cat((seen, seen.square()), 1))
                out = raw.permute(0, 2, 3, 1).reshape(x.shape[0], -1, width)
                outputs.append((8 * out - 6).sigmoid() if kind == "cls" else out + 1.5)
        return outputs


def write_scrfd(path: Path) -> Scrfd:
    """Write one for pictures of 64×64 pixels, as the teacher is one for 640×640."""
    torch.manual_seed(5)
    net = Scrfd().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            (torch.zeros(1, 3, 64, 64),),
            str(path),
            input_names=["images"],
            dynamic_axes={"images": {0: "batch"}},
            opset_version=13,
            dynamo=False,
        )
    return net


def pictures(count: int, height: int = 64, width: int = 64) -> Tensor:
    """Random RGB pictures, uint8 `[count, 3, height, width]`."""
    grain = torch.randint(0, 256, (count, 3, height // 8, width // 8)).float()
    return F.interpolate(grain, (height, width)).to(torch.uint8)
