"""Start MobileFaceNet from the teacher: a MobileFaceNet of 128 features with ReLU6.

The teacher (foamliu, Apache-2.0) has the layout of ours except for one more pointwise
convolution behind the first depthwise one, ReLU6 for PReLU and its input normalisation. Equal
layers are copied, the rest is fitted: the first expansion by least squares, because it has to
stand in for the missing convolution too.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fiqa_cli.methods.distilled import normalise
from fiqa_cli.networks.mobilefacenet import Bottleneck, ConvBlock, MobileFaceNet
from fiqa_cli.training.batches import channels_first
from fiqa_cli.training.pictures import Pictures
from fiqa_cli.zoo.state import load_state_dict

State = dict[str, Tensor]

FITTED_ON = 200

MEAN = torch.tensor((0.485, 0.456, 0.406))
DEVIATION = torch.tensor((0.229, 0.224, 0.225))


def is_foreign_mobilefacenet(path: Path) -> bool:
    """Whether a state dict has the layout of the teacher, and not that of our networks."""
    return "dw_conv.pointwise.weight" in load_state_dict(path)


def start_from(teacher: Path, network: MobileFaceNet, pictures: Pictures, seed: int) -> None:
    """Fill `network` from the teacher's file, fitted on `FITTED_ON` crops of the pictures."""
    state = load_state_dict(teacher)
    crops = len(pictures.crops)
    count = min(FITTED_ON, crops)
    sample = np.random.default_rng(seed).choice(crops, count, replace=False)
    warm_start(network, state, normalise(channels_first(pictures.clean(np.sort(sample)))))


def copy_layer(block: ConvBlock, state: State, conv: str, bn: str) -> None:
    """Copy a convolution and its batch normalisation; a PReLU becomes a ReLU, slope 0."""
    block.conv.weight.copy_(state[f"{conv}.weight"])
    copy_norm(block.bn, state, bn, slice(None))
    if hasattr(block, "prelu"):
        block.prelu.weight.zero_()


def copy_norm(
    norm: nn.BatchNorm1d | nn.BatchNorm2d, state: State, name: str, channels: slice
) -> None:
    """Copy the four vectors of a batch normalisation into some of its channels."""
    for key in ("weight", "bias", "running_mean", "running_var"):
        getattr(norm, key)[channels].copy_(state[f"{name}.{key}"])


@torch.no_grad()
def warm_start(network: MobileFaceNet, state: State, crops: Tensor) -> None:
    """Fill `network` from the teacher's `state`, in place.

    `crops`: float `[N, 3, 112, 112]` in [-1, 1], some hundred, to fit the first expansion on.
    The teacher's embedding becomes the first 128 features; the others stay random.
    """
    copy_layer(network.conv1, state, "conv1.0", "conv1.1")
    copy_layer(network.conv2_dw, state, "dw_conv.depthwise", "dw_conv.bn1")
    # (x + 1) / 2 is the teacher's x before its mean and deviation: fold both into conv1.
    scale = (0.5 / DEVIATION).reshape(1, 3, 1, 1)
    offset = ((0.5 - MEAN) / DEVIATION).reshape(1, 3, 1, 1)
    shift = (state["conv1.0.weight"] * offset).sum((1, 2, 3))
    network.conv1.bn.get_buffer("running_mean").sub_(shift)
    network.conv1.conv.weight *= scale

    blocks = (block for block in network.modules() if isinstance(block, Bottleneck))
    for number, block in enumerate(blocks):
        name = f"features.{number}.conv"
        copy_layer(block.conv, state, f"{name}.0.0", f"{name}.0.1")
        copy_layer(block.conv_dw, state, f"{name}.1.0", f"{name}.1.1")
        copy_layer(block.project, state, f"{name}.2", f"{name}.3")
    copy_layer(network.conv_6_sep, state, "conv2.0", "conv2.1")
    copy_layer(network.conv_6_dw, state, "gdconv.depthwise", "gdconv.bn")
    width = len(state["conv3.weight"])
    network.linear.weight[:width] = state["conv3.weight"].flatten(1)
    copy_norm(network.bn, state, "bn", slice(width))
    fit_first_expansion(network, state, crops)
    if width == network.linear.out_features:
        return

    # The random features get the statistics that a normalised layer expects.
    embedded: list[Tensor] = []
    hook = network.linear.register_forward_hook(lambda _m, _i, out: embedded.append(out))
    network(crops)
    hook.remove()
    variance, mean = torch.var_mean(embedded[0][:, width:], 0)
    network.bn.get_buffer("running_mean")[width:] = mean
    network.bn.get_buffer("running_var")[width:] = variance


def fit_first_expansion(network: MobileFaceNet, state: State, crops: Tensor) -> None:
    """Least squares from our second layer to what the teacher's first expansion computes."""
    network.eval()
    ours = network.conv2_dw(network.conv1(crops))
    point = F.conv2d(ours, state["dw_conv.pointwise.weight"])
    norm = nn.BatchNorm2d(point.shape[1]).eval()
    copy_norm(norm, state, "dw_conv.bn2", slice(None))
    theirs = F.conv2d(F.relu(norm(point)), state["features.0.conv.0.0.weight"])

    def samples(values: Tensor) -> Tensor:
        # Every fifth position in each direction: neighbours say nearly the same.
        return values[:, :, ::5, ::5].permute(0, 2, 3, 1).flatten(0, 2)

    inputs = samples(ours)
    inputs = torch.cat((inputs, torch.ones(len(inputs), 1)), 1)
    inputs = inputs.double()
    # Some of the teacher's channels are always 0: a little ridge keeps the system regular.
    ridge = 1e-6 * len(inputs) * torch.eye(inputs.shape[1], dtype=torch.float64)
    solution = torch.linalg.solve(
        inputs.T @ inputs + ridge, inputs.T @ samples(theirs).double()
    ).float()
    network.conv_23.conv.conv.weight.copy_(solution[:-1].T.reshape(128, 64, 1, 1))
    network.conv_23.conv.bn.get_buffer("running_mean").sub_(solution[-1])
