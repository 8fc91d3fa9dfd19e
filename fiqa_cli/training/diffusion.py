"""Train `unet-n`: a small U-Net that restores faces, for DifFIQA.

    python -m fiqa_cli.training.diffusion --bank BANK --out RUN

After DifFIQA (Babnik et al., IJCB 2023): the network sees a crop that was worsened in proportion
to a time step and then noised, and predicts the clean one; squared error, Adam, averaged weights.
Ours has far fewer steps, hence a start as the identity, a higher rate with warm-up and decay, and
clipped gradients. Every random choice depends on the seed and the step alone.
"""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from fiqa_cli.networks.diffusion import add_noise
from fiqa_cli.networks.unet import UNet, UNetConfig
from fiqa_cli.training.bank import Bank, open_bank
from fiqa_cli.training.batches import batch_rows, mirrored, to_input
from fiqa_cli.training.crops import HELD_OUT_IDENTITIES, hold_out
from fiqa_cli.training.loop import Terms, run
from fiqa_cli.training.schedule import Schedule

TIME_BOUND = 100
CLIP = 1.0
MONITORED = 96
UNET_N = UNetConfig(dim=16, patch=2, heads=2, head_width=16)
# These move the face, alone or in a mixture: a restoration would have to guess where to.
MOVING = ("misalignment", "mixture")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffusionSchedule(Schedule):
    """The schedule of `unet-n`, and its size."""

    steps: int = 6000
    batch: int = 16
    rate: float = 1e-3
    unet: UNetConfig = UNET_N


@torch.no_grad()
def start_as_identity(network: UNet) -> None:
    """Set some weights so that the network gives back its input, whatever the other weights are.

    At the time steps of DifFIQA's scoring that is nearly right already. Needs as many channels at
    the first level as a patch has values.
    """
    weights = dict(network.named_parameters())
    pixels, channels = weights["final_conv.weight"].shape[:2]
    kept = torch.arange(pixels)
    weights["init_conv.weight"][kept] = 0
    weights["init_conv.weight"][kept, kept, 3, 3] = 1
    weights["init_conv.bias"][kept] = 0
    # SiLU keeps 0, but not its slope: the block learns from the first step on.
    weights["final_res_block.block2.norm.weight"].zero_()
    weights["final_res_block.block2.norm.bias"].zero_()
    # The shortcut sees the deep features, then those of the first convolution.
    weights["final_res_block.res_conv.weight"].zero_()
    weights["final_res_block.res_conv.weight"][kept, channels + kept, 0, 0] = 1
    weights["final_res_block.res_conv.bias"].zero_()
    weights["final_conv.weight"].zero_()
    weights["final_conv.weight"][kept, kept, 0, 0] = 1
    weights["final_conv.bias"].zero_()


def worsened(clean: Tensor, degraded: Tensor, time: Tensor) -> Tensor:
    """Mix the clean crops and their degraded copies: all clean at time 0, degraded at the bound.

    Both float `[N, 3, H, W]`, `time` integers `[N]`; the share is the sine of a quarter turn.
    """
    share = torch.sin(time / TIME_BOUND * math.pi / 2)
    return clean.lerp(degraded, share.view(-1, 1, 1, 1))


def restoration_loss(
    network: nn.Module, clean: Tensor, degraded: Tensor, noise: Tensor, time: Tensor
) -> Tensor:
    """Squared error `[N]` of the clean crops, predicted from the worsened and noised ones."""
    noised = add_noise(worsened(clean, degraded, time), time, noise)
    return F.mse_loss(network(noised, time), clean, reduction="none").mean((1, 2, 3))


def restorable(bank: Bank) -> NDArray[np.bool_]:
    """The pictures `[N, 1 + copies]`, clean or degraded, whose face is where the clean one is."""
    return ~np.isin(bank.kinds, MOVING)


def draw(
    bank: Bank, rows: NDArray[np.int64], step: int, batch: int, seed: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The batch of a step: clean crops, degraded copies, noise `[N, 3, H, W]`, time `[N]`.

    `rows` number the pictures through the flattened bank; a clean one is its own copy. Half of
    the pairs are mirrored.
    """
    crop, column = np.divmod(batch_rows(rows, step, batch, seed), bank.crops.shape[1])
    clean = to_input(mirrored(bank.crops[crop, 0], step, seed))
    degraded = to_input(mirrored(bank.crops[crop, column], step, seed))
    rng = np.random.default_rng((seed, step, 2))
    time = torch.from_numpy(rng.integers(0, TIME_BOUND, batch))
    noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32))
    return clean, degraded, noise, time


def train(bank: Bank, out: Path, schedule: DiffusionSchedule, every: int) -> None:
    """Run or continue a schedule, with `out/checkpoint.pt` renewed `every` so many steps.

    Along with it goes the loss on the held-out identities, and its root at time 4, which is where
    DifFIQA begins to restore.
    Raises `FiqaError` if `out` holds a checkpoint of another schedule.
    """
    held_out = hold_out(bank.identities, HELD_OUT_IDENTITIES, schedule.seed)[:, None]
    rows = np.flatnonzero(restorable(bank) & ~held_out)
    watched = np.flatnonzero(restorable(bank) & held_out)
    torch.manual_seed(schedule.seed)
    student = UNet(schedule.unet)
    start_as_identity(student)
    student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(
        student.parameters(), lr=schedule.rate, betas=(0.9, 0.99), fused=True
    )

    def loss(step: int) -> tuple[Tensor, Terms]:
        batch = draw(bank, rows, step, schedule.batch, schedule.seed)
        error = restoration_loss(student, *batch).mean()
        return error, {"loss": error.item()}

    @torch.inference_mode()
    def monitor(average: nn.Module) -> Terms:
        errors, scoring = [], []
        for number in range(math.ceil(min(MONITORED, len(watched)) / schedule.batch)):
            batch = draw(bank, watched, number, schedule.batch, schedule.seed)
            errors.append(restoration_loss(average, *batch))
            scoring.append(restoration_loss(average, *batch[:3], torch.full((schedule.batch,), 4)))
        return {
            "held out": torch.cat(errors).mean().item(),
            "rms at 4": torch.cat(scoring).mean().sqrt().item(),
        }

    run(student, optimiser, schedule, loss, out, every, monitor, CLIP)


def main() -> None:
    """Train from the command line."""
    default = DiffusionSchedule()
    parser = argparse.ArgumentParser(description="Train unet-n from a bank.")
    parser.add_argument("--bank", type=Path, required=True, help="made by training.bank")
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--steps", type=int, default=default.steps)
    parser.add_argument("--batch", type=int, default=default.batch)
    parser.add_argument("--rate", type=float, default=default.rate)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--every", type=int, default=100, help="steps between checkpoints")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    schedule = DiffusionSchedule(
        steps=options.steps, batch=options.batch, rate=options.rate, seed=options.seed
    )
    train(open_bank(options.bank), options.out, schedule, options.every)


if __name__ == "__main__":
    main()
