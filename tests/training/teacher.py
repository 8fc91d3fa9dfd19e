"""A teacher with random weights, and what it computes, written down independently of ours."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# Input, inner and output width of each bottleneck; a change of width or stride has no shortcut.
WIDTHS = (
    [(64, 128, 64)] * 5
    + [(64, 256, 128)]
    + [(128, 256, 128)] * 6
    + [(128, 512, 128)]
    + [(128, 256, 128)] * 2
)
REDUCING = (0, 5, 12)


def teacher_state() -> dict[str, Tensor]:
    """Random weights under the names and in the shapes of the teacher's state dict."""
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}

    def layer(conv: str, bn: str, *shape: int) -> None:
        state[f"{conv}.weight"] = torch.randn(*shape, generator=generator)
        state[f"{conv}.weight"] /= math.prod(shape[1:]) ** 0.5
        for key, value in (("weight", 1.0), ("bias", 0.1), ("running_mean", 0.0)):
            state[f"{bn}.{key}"] = torch.full((shape[0],), value)
        state[f"{bn}.running_var"] = torch.ones(shape[0])

    layer("conv1.0", "conv1.1", 64, 3, 3, 3)
    layer("dw_conv.depthwise", "dw_conv.bn1", 64, 1, 3, 3)
    layer("dw_conv.pointwise", "dw_conv.bn2", 64, 64, 1, 1)
    for number, (inputs, width, outputs) in enumerate(WIDTHS):
        name = f"features.{number}.conv"
        layer(f"{name}.0.0", f"{name}.0.1", width, inputs, 1, 1)
        layer(f"{name}.1.0", f"{name}.1.1", width, 1, 3, 3)
        layer(f"{name}.2", f"{name}.3", outputs, width, 1, 1)
    layer("conv2.0", "conv2.1", 512, 128, 1, 1)
    layer("gdconv.depthwise", "gdconv.bn", 512, 1, 7, 7)
    layer("conv3", "bn", 128, 512, 1, 1)
    return state


def teacher_embedding(state: dict[str, Tensor], rgb: Tensor) -> Tensor:
    """The teacher's embedding `[N, 128]` of RGB `[N, 3, 112, 112]` in [0, 1]."""

    def layer(x: Tensor, conv: str, bn: str, stride: int = 1, padding: int = 0) -> Tensor:
        weight = state[f"{conv}.weight"]
        groups = x.shape[1] // weight.shape[1]
        x = F.conv2d(x, weight, stride=stride, padding=padding, groups=groups)
        keys = ("running_mean", "running_var", "weight", "bias")
        mean, variance, scale, shift = (state[f"{bn}.{key}"] for key in keys)
        return F.batch_norm(x, mean, variance, scale, shift)

    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    x = (rgb - mean.reshape(3, 1, 1)) / deviation.reshape(3, 1, 1)
    x = F.relu6(layer(x, "conv1.0", "conv1.1", 2, 1))
    x = F.relu(layer(x, "dw_conv.depthwise", "dw_conv.bn1", 1, 1))
    x = F.relu(layer(x, "dw_conv.pointwise", "dw_conv.bn2"))
    for number in range(len(WIDTHS)):
        name = f"features.{number}.conv"
        stride = 2 if number in REDUCING else 1
        out = F.relu6(layer(x, f"{name}.0.0", f"{name}.0.1"))
        out = F.relu6(layer(out, f"{name}.1.0", f"{name}.1.1", stride, 1))
        out = layer(out, f"{name}.2", f"{name}.3")
        x = out if number in REDUCING else x + out
    x = F.relu6(layer(x, "conv2.0", "conv2.1"))
    x = layer(x, "gdconv.depthwise", "gdconv.bn")
    return layer(x, "conv3", "bn").flatten(1)
