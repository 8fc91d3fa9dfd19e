"""Folded networks without the channels that are the same for every crop, for inference.

What a convolution gives is bounded by what it gets: interval arithmetic, over all crops at once. A
channel that a ReLU holds at 0 need not be computed, nor what only such a channel reads; one that
is constant otherwise becomes part of the next bias.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.fx
from torch import Tensor, nn
from torch.fx import Node

BLOCK = 8
"""Channels are left in whole blocks, as onnxruntime computes them in blocks of 8 or, on some
processors, 16; where they are no multiple of 4, it is slower than with all of them."""
PIXELS = (-1.0, 1.0)
"""What the official preprocessing makes of uint8."""

Layers = Mapping[Node, nn.Module]
"""Of the nodes that stand for one."""
LARGEST = float(torch.finfo(torch.float32).max)
ROUNDING = float(torch.finfo(torch.float32).eps)
"""Twice the relative error of one operation in float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """What the channels of an activation can be: `centre` ± `radius`, float64 `[C]`, or `[1]`."""

    centre: Tensor
    radius: Tensor
    """0 where the channel is the same everywhere in every crop."""

    @classmethod
    def between(cls, low: Tensor, high: Tensor) -> "Values":
        """The values from `low` to `high`; float32 holds none beyond `LARGEST`."""
        low, high = low.clamp(min=-LARGEST), high.clamp(max=LARGEST)
        return cls((low + high) / 2, (high - low) / 2)

    def rectified(self, slope: Tensor) -> "Values":
        """What a PReLU with `slope`, `[C]` or `[1]`, makes of them."""
        ends = torch.stack((self.centre - self.radius, self.centre + self.radius))
        made = torch.where(ends > 0, ends, slope * ends)
        low, high = made.amin(0), made.amax(0)
        # The bend lies in between, and with a slope below 0 it is the lowest.
        bent = (ends[0] < 0) & (ends[1] > 0)
        return Values.between(torch.where(bent, low.clamp(max=0), low), high)

    def padded(self, layer: nn.Conv2d) -> "Values":
        """What `layer` reads of them: zeros, too, if it pads."""
        if layer.padding == (0, 0):
            return self
        low, high = self.centre - self.radius, self.centre + self.radius
        return Values.between(low.clamp(max=0), high.clamp(min=0))

    def convolved(self, layer: nn.Conv2d) -> "Values":
        """What `layer` makes of them, with the rounding of its float32."""
        read = self.padded(layer)
        weight, outputs = layer.weight.detach(), layer.out_channels
        # Each output channel reads the inputs of its group.
        centre, radius = (
            part.expand(layer.in_channels)
            .view(layer.groups, 1, -1)
            .expand(-1, outputs // layer.groups, -1)
            .reshape(outputs, -1)
            for part in (read.centre, read.radius)
        )
        sums, sizes = (part.sum((2, 3), dtype=torch.float64) for part in (weight, weight.abs()))
        middle, spread = (sums * centre).sum(1), (sizes * radius).sum(1)
        terms = (sizes * (centre.abs() + radius)).sum(1)
        if layer.bias is not None:
            bias = layer.bias.detach().double()
            middle, terms = middle + bias, terms + bias.abs()
        # However the terms are added up (Higham, 2002, eq. 3.5); float64's own is far below.
        rounding = ROUNDING * (weight[0].numel() + 1) * terms
        spread = torch.where(spread > 0, spread + rounding, 0)
        return Values.between(middle - spread, middle + spread)


def prune(network: torch.fx.GraphModule) -> None:
    """Leave out of `network`, one of `fold`, in place, the channels that make no difference.

    It computes the same, up to rounding, of pixels in [-1, 1], and of no others. Channels go
    between two dense convolutions, with ReLUs, PReLUs and depthwise convolutions between them; what
    any other layer reads or makes stays whole.
    """
    nodes = list(network.graph.nodes)
    modules = dict(network.named_modules())
    layers = {node: modules[node.target] for node in nodes if node.op == "call_module"}
    values = _values(nodes, layers)
    sources = _sources(nodes, layers)
    kept = _kept(nodes, layers, values, sources)
    for node, source in sources.items():
        layer, before = layers[node], node.all_input_nodes[0]
        if isinstance(layer, nn.Conv2d) and node is source and before in sources:
            _skip(layer, values[before].padded(layer).centre, kept[sources[before]])
        _keep(layer, kept[source])


def _values(nodes: list[Node], layers: Layers) -> dict[Node, Values]:
    """What the result of each node can be."""
    pixels, anything = (
        Values.between(*(torch.tensor([bound], dtype=torch.float64) for bound in bounds))
        for bounds in (PIXELS, (-LARGEST, LARGEST))
    )
    found: dict[Node, Values] = {}
    for node in nodes:
        layer, before = layers.get(node), node.all_input_nodes
        if node.op == "placeholder":
            found[node] = pixels
        elif isinstance(layer, nn.Conv2d):
            found[node] = found[before[0]].convolved(layer)
        elif isinstance(layer, nn.PReLU):
            found[node] = found[before[0]].rectified(layer.weight.detach().double())
        elif isinstance(layer, nn.ReLU):
            found[node] = found[before[0]].rectified(torch.zeros(1, dtype=torch.float64))
        else:
            found[node] = anything
    return found


def _sources(nodes: list[Node], layers: Layers) -> dict[Node, Node]:
    """The dense convolution whose channels a node passes on, one by one, where there is one."""
    found: dict[Node, Node] = {}
    for node in nodes:
        layer, before = layers.get(node), node.all_input_nodes
        if isinstance(layer, nn.Conv2d) and layer.groups == 1:
            found[node] = node
        elif before and before[0] in found and _is_channelwise(layer):
            found[node] = found[before[0]]
    return found


def _is_channelwise(layer: nn.Module | None) -> bool:
    if isinstance(layer, nn.Conv2d):
        return layer.groups == layer.in_channels == layer.out_channels
    return isinstance(layer, nn.ReLU | nn.PReLU)


def _kept(
    nodes: list[Node],
    layers: Layers,
    values: dict[Node, Values],
    sources: dict[Node, Node],
) -> dict[Node, Tensor]:
    """The channels, bool `[C]`, that are left of each dense convolution."""
    kept = {
        node: torch.zeros(layer.out_channels, dtype=torch.bool)
        for node, layer in layers.items()
        if isinstance(layer, nn.Conv2d) and sources.get(node) is node
    }
    for node in reversed(nodes):
        layer = layers.get(node)
        if node in kept:
            _fill_blocks(kept[node])
        for before in node.all_input_nodes:
            source = sources.get(before)
            if source is None or sources.get(node) is source:
                continue
            if node in kept and isinstance(layer, nn.Conv2d):
                read = (layer.weight.detach()[kept[node]] != 0).any(3).any(2).any(0)
                kept[source] |= read & (values[before].padded(layer).radius > 0)
            else:
                kept[source][:] = True
    return kept


def _fill_blocks(kept: Tensor) -> None:
    """Keep as many more channels as make whole blocks, and one block at least."""
    count = int(kept.sum())
    blocks = max(1, -(-count // BLOCK))
    kept[(~kept).nonzero()[: blocks * BLOCK - count]] = True


def _skip(layer: nn.Conv2d, centre: Tensor, inputs: Tensor) -> None:
    """Let a dense convolution read the channels `inputs` alone; the others are at `centre`."""
    if inputs.all():
        return
    weight = layer.weight.detach()
    constant = (weight.sum((2, 3), dtype=torch.float64) * centre)[:, ~inputs].sum(1)
    if layer.bias is not None:
        constant += layer.bias.detach()
    layer.bias = nn.Parameter(constant.to(weight.dtype), requires_grad=False)
    layer.weight = nn.Parameter(weight[:, inputs], requires_grad=False)
    layer.in_channels = int(inputs.sum())


def _keep(layer: nn.Module, channels: Tensor) -> None:
    """Let a layer make `channels` alone."""
    count = int(channels.sum())
    if count == len(channels):
        return
    for name, value in list(layer.named_parameters()):
        if len(value) > 1:  # a PReLU may have one slope for all
            setattr(layer, name, nn.Parameter(value.detach()[channels], requires_grad=False))
    if isinstance(layer, nn.PReLU):
        layer.num_parameters = len(layer.weight)
    elif isinstance(layer, nn.Conv2d):
        layer.out_channels = count
        if layer.groups > 1:
            layer.groups = layer.in_channels = count
