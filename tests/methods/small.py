"""Networks small enough for a test to run them hundreds of times, and crops for them."""

from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fiqa_cli.methods.method import Method
from fiqa_cli.networks.unet import UNet, UNetConfig
from fiqa_cli.zoo.model import Preprocessing

CPU = torch.device("cpu")
HALF = Preprocessing(112, "RGB", (0.5,) * 3, (0.5,) * 3)


class SmallRecogniser(nn.Module):
    """Crops `[N, 3, 112, 112]` to embeddings `[N, 8]` that see where things are."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv = nn.Conv2d(3, 4, 5, stride=4)
            self.linear = nn.Linear(4 * 7 * 7, 8)

    def forward(self, x: Tensor) -> Tensor:
        seen = F.avg_pool2d(F.silu(self.conv(x)), 4, ceil_mode=True)
        out: Tensor = self.linear(torch.flatten(seen, 1))
        return out


def small_unet() -> UNet:
    """A U-Net of two levels on squares of 4×4 pixels, with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = UNetConfig(8, (1, 2), patch=4, heads=1, head_width=8, groups=4)
        return UNet(config).eval()


def random_crops(count: int, seed: int) -> Tensor:
    """Noise, uint8 `[count, 3, 112, 112]`."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 112, 112), dtype=torch.uint8, generator=generator)


def assert_independent(method: Method, count: int, seed: int, random: Random) -> None:
    """The score of a crop depends neither on the batch it comes in nor on its place there."""
    batch = random_crops(count, seed)
    together = method.score(batch).quality
    order = random.sample(range(count), count)
    torch.testing.assert_close(
        method.score(batch[order]).quality, together[order], rtol=0, atol=1e-5
    )
    cut = random.randint(0, count)
    parts = [method.score(part).quality for part in (batch[:cut], batch[cut:]) if len(part)]
    torch.testing.assert_close(torch.cat(parts), together, rtol=0, atol=1e-5)
