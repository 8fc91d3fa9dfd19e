"""Batch normalisation folded into the convolutions, for training on few CPU cores.

A PReLU and a batch normalisation cost more than the convolutions between them there. A network
that starts from trained weights can do without: `fold` leaves convolution, bias and ReLU, and
`unfolded_state` gives the weights back under the official names. What was trained so has no
statistics of batches any more, and can only be trained further in the same way.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fiqa_cli.networks.mobilefacenet import ConvBlock


def is_foldable(network: nn.Module) -> bool:
    """Whether `fold` leaves what the network computes as it is: its PReLUs are ReLUs."""
    rectifiers = [module for module in network.modules() if isinstance(module, nn.PReLU)]
    has_blocks = any(isinstance(module, ConvBlock) for module in network.modules())
    return has_blocks and not any(module.weight.any() for module in rectifiers)


def fold(network: nn.Module) -> None:
    """Turn every `ConvBlock` into convolution with bias and, for a PReLU of slope 0, ReLU."""
    for block in network.modules():
        if isinstance(block, ConvBlock):
            block.eval()
            block.conv = fuse_conv_bn_eval(block.conv, block.bn)
            block.bn = nn.Identity()  # type: ignore[assignment]
            if hasattr(block, "prelu"):
                block.prelu = nn.ReLU(inplace=True)  # type: ignore[assignment]


def unfolded_state(network: nn.Module, official: nn.Module) -> dict[str, Tensor]:
    """The weights of a folded `network` as the state dict of `official`, its unfolded twin.

    The normalisation becomes the identity with the bias as its shift, the slope of PReLU 0.
    """
    folded = network.state_dict()
    state = {}
    for name, value in official.state_dict().items():
        layer, _, key = name.rpartition(".")
        if name in folded:
            state[name] = folded[name].clone()
        elif layer.endswith("prelu") or key in ("running_mean", "num_batches_tracked"):
            state[name] = torch.zeros_like(value)
        elif key == "bias":
            state[name] = folded[f"{layer.removesuffix('bn')}conv.bias"].clone()
        elif key == "weight":
            # The layer divides by sqrt(variance + eps); this weight takes it back.
            state[name] = torch.full_like(value, (1 + 1e-5) ** 0.5)
        else:
            state[name] = torch.ones_like(value)
    return state
