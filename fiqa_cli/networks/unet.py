"""The U-Net of DifFIQA (Babnik et al., 2023), with the parameter names of its checkpoints."""

import copy
import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class UNetConfig:
    """Size of a `UNet`; the defaults are the official one with 142,872,835 parameters."""

    dim: int = 128
    """Channels at full resolution; even, and a multiple of `groups`."""
    multipliers: tuple[int, ...] = (1, 2, 4, 8)
    """Channels of each level in units of `dim`; each level halves the resolution of the last."""
    patch: int = 1
    """Side in pixels of the square that the first level sees as one position."""
    heads: int = 4
    """Heads of every attention."""
    head_width: int = 32
    """Channels of one head."""
    groups: int = 8
    """Groups of every group normalisation."""


class StandardisedConv(nn.Conv2d):
    """A convolution whose kernels have mean 0 and variance 1 (Qiao et al., 2019)."""

    def standardised(self) -> Tensor:
        """The kernels `[outputs, inputs, height, width]` that the convolution applies."""
        # In fp32 and with its epsilon at any precision: the reference raises it to 1e-3 in half
        # precision, which changes what the network computes.
        weight = self.weight.float()
        variance, mean = torch.var_mean(weight, (1, 2, 3), correction=0, keepdim=True)
        return ((weight - mean) * (variance + 1e-5).rsqrt()).to(self.weight.dtype)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.standardised(), self.bias, padding=self.padding)


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of every position, with a gain and no offset."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        gain = self.g.flatten()
        return F.layer_norm(x.permute(0, 2, 3, 1), gain.shape, gain).permute(0, 3, 1, 2)


class Block(nn.Module):
    """Convolution, group normalisation, optional scale and shift, SiLU."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.proj: nn.Conv2d = StandardisedConv(inputs, outputs, 3, padding=1)
        self.norm = nn.GroupNorm(groups, outputs)

    def forward(self, x: Tensor, condition: tuple[Tensor, Tensor] | None = None) -> Tensor:
        x = self.proj(x)
        if condition is None:
            x = self.norm(x)
        else:
            gain, shift = condition
            if gain.shape[0] == 1:
                # The same for every image: part of the normalisation, and no pass of its own.
                weight = self.norm.weight * gain[0]
                offset = self.norm.bias * gain[0] + shift[0]
                x = F.group_norm(x, self.norm.num_groups, weight, offset, self.norm.eps)
            else:
                x = torch.addcmul(shift[..., None, None], self.norm(x), gain[..., None, None])
        # Its backward pass would need the input.
        return F.silu(x, inplace=not torch.is_grad_enabled())


class ResnetBlock(nn.Module):
    """Two blocks around a shortcut; the time embedding scales and shifts the first."""

    def __init__(self, inputs: int, outputs: int, config: UNetConfig) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(config.dim * 4, outputs * 2))
        self.block1 = Block(inputs, outputs, config.groups)
        self.block2 = Block(outputs, outputs, config.groups)
        self.res_conv = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.mlp(time).chunk(2, dim=1)
        out: Tensor = self.block2(self.block1(x, (scale + 1, shift)))
        shortcut: Tensor = self.res_conv(x)
        return out.add_(shortcut)


class LinearAttention(nn.Module):
    """Attention linear in the positions (Shen et al., 2021), with a normalised output."""

    def __init__(self, channels: int, config: UNetConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.scale = config.head_width**-0.5
        hidden = config.heads * config.head_width
        self.to_qkv = nn.Conv2d(channels, hidden * 3, 1, bias=False)
        self.to_out = nn.Sequential(nn.Conv2d(hidden, channels, 1), ChannelNorm(channels))

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        count, positions, channels = tokens.shape
        to_q, to_k, to_v = self.to_qkv.weight.view(3, self.heads, -1, channels)
        project, norm = self.to_out
        to_out = project.weight.view(channels, self.heads, -1)  # type: ignore[operator]
        q = F.linear(tokens, to_q.flatten(0, 1)).view(count, positions, self.heads, -1)
        k = (to_k.flatten(0, 1) @ tokens.transpose(1, 2)).softmax(2)
        # Values and output projection are linear, so they are applied to the sums over all
        # positions, which are few, and never to the positions themselves.
        sums = (k @ tokens).view(count, self.heads, -1, channels)
        context = torch.einsum("nhdc,hec->nhde", sums, to_v)
        mix = torch.einsum("nhde,che->nhdc", context, to_out).flatten(1, 2)
        scale = self.scale / positions
        bias: Tensor = project.bias  # type: ignore[assignment]
        mixed = torch.baddbmm(bias, q.softmax(3).flatten(2), mix, alpha=scale)
        out: Tensor = norm(mixed.transpose(1, 2).view(x.shape))
        return out


class Attention(nn.Module):
    """Cosine attention with scale 10, whose unit vectors run over positions as in the reference."""

    def __init__(self, channels: int, config: UNetConfig) -> None:
        super().__init__()
        self.heads = config.heads
        hidden = config.heads * config.head_width
        self.to_qkv = nn.Conv2d(channels, hidden * 3, 1, bias=False)
        self.to_out = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        q, k, v = F.linear(tokens, self.to_qkv.weight.flatten(1)).chunk(3, 2)
        q, k, v = (
            y.reshape(*tokens.shape[:2], self.heads, -1).transpose(1, 2)
            for y in (F.normalize(q, dim=1), F.normalize(k, dim=1), v)
        )
        out = F.scaled_dot_product_attention(q, k, v, scale=10.0).transpose(1, 2).flatten(2)
        out = F.linear(out, self.to_out.weight.flatten(1), self.to_out.bias)
        return out.transpose(1, 2).view(x.shape)


class PreNorm(nn.Module):
    """`fn` of the normalised input."""

    def __init__(self, channels: int, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn
        self.norm = ChannelNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fn(self.norm(x))
        return out


class Residual(nn.Module):
    """`fn` of the input plus the input."""

    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fn(x)
        return out.add_(x)


class Level(nn.ModuleList):
    """Two blocks that also read `skipped` channels, attention, and a change of resolution."""

    def __init__(
        self, channels: int, skipped: int, resample: nn.Module, config: UNetConfig
    ) -> None:
        super().__init__(
            (
                ResnetBlock(channels + skipped, channels, config),
                ResnetBlock(channels + skipped, channels, config),
                Residual(PreNorm(channels, LinearAttention(channels, config))),
                resample,
            )
        )


class UNet(nn.Module):
    """Maps a noised image and its time step to an estimate of the clean image."""

    def __init__(self, config: UNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or UNetConfig()
        middle = config.dim * config.multipliers[-1]
        pixels = 3 * config.patch**2
        self.init_conv = nn.Conv2d(pixels, config.dim, 7, padding=3)
        self.time_mlp = nn.Sequential(
            nn.Identity(),  # the sinusoids, which have no parameters, at their official index
            nn.Linear(config.dim, config.dim * 4),
            nn.GELU(),
            nn.Linear(config.dim * 4, config.dim * 4),
        )
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        self.mid_block1 = ResnetBlock(middle, middle, config)
        self.mid_attn = Residual(PreNorm(middle, Attention(middle, config)))
        self.mid_block2 = ResnetBlock(middle, middle, config)
        widths = [config.dim * multiplier for multiplier in (1, *config.multipliers)]
        for depth, (upper, lower) in enumerate(itertools.pairwise(widths)):
            # The deepest level keeps its resolution; the first has none above it.
            deepest = depth == len(config.multipliers) - 1
            down = nn.Conv2d(upper, lower, *((3, 1, 1) if deepest else (4, 2, 1)))
            up: nn.Module = nn.Conv2d(lower, upper, 3, padding=1)
            if depth:
                up = nn.Sequential(nn.Upsample(scale_factor=2.0), up)
            self.downs.append(Level(upper, 0, down, config))
            self.ups.insert(0, Level(lower, upper, up, config))
        self.final_res_block = ResnetBlock(config.dim * 2, config.dim, config)
        self.final_conv = nn.Conv2d(config.dim, pixels, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Estimate the clean image.

        `x` is `[N, 3, H, W]` float, about [-1, 1] plus noise, H and W multiples of
        `patch * 2 ** (levels - 1)`; `time` integers of shape `[N]`, or `[1]` for one time step
        of all images, which is cheaper. Returns `[N, 3, H, W]`.
        """
        x = first = self.init_conv(F.pixel_unshuffle(x, self.config.patch))
        t = self.time_mlp(sinusoids(time, self.config.dim).to(x.dtype))
        skips = []
        for level in self.downs:
            block1, block2, attention, down = level.children()
            x = block1(x, t)
            skips.append(x)
            x = attention(block2(x, t))
            skips.append(x)
            x = down(x)
        x = self.mid_block2(self.mid_attn(self.mid_block1(x, t)), t)
        for level in self.ups:
            block1, block2, attention, up = level.children()
            x = block1(torch.cat((x, skips.pop()), 1), t)
            x = block2(torch.cat((x, skips.pop()), 1), t)
            x = up(attention(x))
        x = self.final_res_block(torch.cat((x, first), 1), t)
        return F.pixel_shuffle(self.final_conv(x), self.config.patch)


def sinusoids(time: Tensor, width: int) -> Tensor:
    """Sines, then cosines, of integer time steps `[N]` at falling frequencies: `[N, width]`."""
    half = width // 2
    steps = torch.arange(half, device=time.device, dtype=torch.float32)
    angles = time[:, None] * torch.exp(steps * (-math.log(10000) / (half - 1)))
    return torch.cat((angles.sin(), angles.cos()), 1)


def for_inference(network: UNet) -> UNet:
    """A frozen copy of `network`, in eval mode, that computes the same with less work.

    Kernels are standardised once, not at every pass, and doubling the resolution before a 3×3
    convolution becomes one transposed convolution with 4/9 of the operations. Equal up to
    rounding: about 1e-5 in fp32. The weights have other names and values than official ones.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, Block) and isinstance(module.proj, StandardisedConv):
            module.proj = _plain(module.proj)
    for level in network.ups:
        *_, up = level.children()
        if isinstance(up, nn.Sequential):
            level.add_module("3", _doubling(up))
    return network


def _plain(conv: StandardisedConv) -> nn.Conv2d:
    plain = nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1, device="meta")
    plain.weight = nn.Parameter(conv.standardised(), requires_grad=False)
    plain.bias = conv.bias
    return plain


def _doubling(up: nn.Sequential) -> nn.ConvTranspose2d:
    conv: nn.Conv2d = up[1]  # type: ignore[assignment]
    doubling = nn.ConvTranspose2d(conv.in_channels, conv.out_channels, 4, 2, 1, device="meta")
    # Each input pixel stands for a square of 2×2, so its kernel is the 3×3 one (flipped, as
    # transposed convolutions have it) summed over the four places in the square.
    flipped = conv.weight.float().flip(2, 3).transpose(0, 1)
    weight = F.avg_pool2d(flipped, 2, stride=1, padding=1, divisor_override=1)
    doubling.weight = nn.Parameter(weight.to(conv.weight.dtype), requires_grad=False)
    doubling.bias = conv.bias
    return doubling
