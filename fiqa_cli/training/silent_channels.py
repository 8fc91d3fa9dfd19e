"""Channels that a ReLU holds at 0 on all faces of a data set, set to exactly 0.

Trained with ReLUs, a MobileFaceNet has many, but for few of them do the weights prove it. Once
these are 0 they do for all, and scoring leaves the channels out (`networks.pruning`).
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.device import cores
from fiqa_cli.methods.distilled import normalise
from fiqa_cli.networks.folding import fold
from fiqa_cli.networks.heads import QualityNetwork
from fiqa_cli.networks.mobilefacenet import ConvBlock
from fiqa_cli.networks.multiply_adds import multiply_adds
from fiqa_cli.training.batches import channels_first
from fiqa_cli.training.channel_importance import weaken
from fiqa_cli.training.crops import open_crops
from fiqa_cli.training.folding import is_foldable
from fiqa_cli.training.pictures import Pictures
from fiqa_cli.training.reporting import Advance, silent
from fiqa_cli.training.weights_file import read_weights, require_trained, write_weights
from fiqa_cli.zoo.load import load_network

BATCH = 64
WEIGHED = 1024
"""Pictures at most on which importance is found; evenly spread over all."""


@dataclass(frozen=True, slots=True)
class Silenced:
    """What was set to 0 in a file, and what it saves."""

    layers: dict[str, tuple[int, int]]
    """Silent channels and all channels of each of the recogniser's layers with a ReLU."""
    pictures: int
    """How many crops and degraded copies of them were looked at."""
    before: int
    """Multiply-adds that scoring a crop takes with the weights as they were."""
    after: int


def silence_file(
    model: Path,
    data: Sequence[Path],
    device: torch.device,
    output: Path | None = None,
    *,
    leave: float = 1.0,
    copies: int = 4,
    seed: int = 1,
    advance: Advance = silent,
) -> Silenced:
    """Set the silent channels to 0 in a quality network that `fiqa train distill` wrote.

    `model` is its folder or its safetensors file; the weights go to `output`, or in their place.
    Silent are those that are so on all faces of `data` and on `copies` degraded ones of each, which
    `seed` determines. Where that leaves more than `leave` of the multiply-adds, the least important
    channels go, too (`channel_importance`). Raises `FiqaError` for weights of another kind, without
    ReLUs or, with `leave` below 1, with anything else.
    """
    trained = require_trained(model)
    assert trained.path is not None
    if output and not output.parent.is_dir():
        raise FiqaError(f"there is no folder {output.parent} for the weights: make it first")
    network = load_network(trained, trained.path)
    weights, told = read_weights(trained.path)
    if weights.keys() - network.state_dict().keys():
        raise FiqaError(f"{trained.path} has other names than 'fiqa train distill' gives weights")
    recogniser = cast(QualityNetwork, network).recogniser
    if leave < 1 and not is_foldable(recogniser):
        raise FiqaError(
            "--leave is for a MobileFaceNet whose PReLUs all have slope 0: training would wake the "
            "channels of others"
        )
    before = multiply_adds(recogniser)
    with ThreadPoolExecutor(cores(), "read") as pool:
        pictures = Pictures(open_crops(data), copies, seed, pool)
        watched = np.arange(len(pictures))
        doing = "looking for silent channels"
        layers = silence(recogniser, _batches(pictures, watched, advance, doing), device)
        limit, left = round(leave * before), multiply_adds(recogniser)
        if left > limit:
            watched = watched[:: -(-len(watched) // WEIGHED)]
            doing = "weighing channels"
            weaken(
                network, lambda: _batches(pictures, watched, advance, doing), device, limit / left
            )
    state = network.state_dict()
    changed = {name: state[name].to(value.dtype) for name, value in weights.items()}
    write_weights(output or trained.path, changed, told)
    return Silenced(layers, len(pictures), before, multiply_adds(recogniser))


@torch.no_grad()
def silence(
    recogniser: nn.Module, batches: Iterable[Tensor], device: torch.device
) -> dict[str, tuple[int, int]]:
    """Set to 0, in place, the channels of a MobileFaceNet in eval mode that are 0 on all crops.

    `batches` are crops, uint8 `[N, 3, 112, 112]` RGB. Where a ReLU, or a PReLU of slope 0, gives
    nothing above 0, the normalisation before it gets weight and bias 0: what becomes of these crops
    stays as it is, up to rounding. Returns, for each layer with a ReLU, how many of how many.
    Raises `FiqaError` if there is no such layer.
    """
    blocks = {
        name: block
        for name, block in recogniser.named_modules()
        if isinstance(block, ConvBlock) and hasattr(block, "prelu") and not block.prelu.weight.any()
    }
    if not blocks:
        raise FiqaError("this network has no ReLUs: none of its channels can be silent")
    fired: dict[str, Tensor] = {}
    folded = fold(recogniser).to(device)
    folded = folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for name, block in blocks.items():
        fired[name] = torch.zeros(block.conv.out_channels, dtype=torch.bool, device=device)

        def watch(_layer: nn.Module, _inputs: Any, out: Tensor, seen: Tensor = fired[name]) -> None:
            seen |= out.amax((0, 2, 3)) > 0

        folded.get_submodule(f"{name}.prelu").register_forward_hook(watch)
    for crops in batches:
        folded(normalise(crops.to(device)).contiguous(memory_format=torch.channels_last))
    for name, block in blocks.items():
        dead = (~fired[name]).cpu()
        block.bn.weight[dead] = 0
        block.bn.bias[dead] = 0
    return {name: (int((~seen).sum()), len(seen)) for name, seen in fired.items()}


def _batches(
    pictures: Pictures, numbers: NDArray[np.int64], advance: Advance, doing: str
) -> Iterator[Tensor]:
    for first in range(0, len(numbers), BATCH):
        part = numbers[first : first + BATCH]
        yield channels_first(pictures.read(part))
        advance(doing, first + len(part), len(numbers))
