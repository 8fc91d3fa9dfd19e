"""Train the diffusion U-Net of DifFIQA: a network that restores faces.

After DifFIQA (Babnik et al., IJCB 2023): the network sees a crop that was worsened in proportion
to a time step and then noised, and predicts the clean one; squared error, Adam, averaged weights.
The degradations are ours (`degradations`). Every random choice depends on the seed and the step
alone.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.distilled import normalise
from fiqa_cli.networks.diffusion import add_noise
from fiqa_cli.networks.unet import UNet, UNetConfig
from fiqa_cli.training.batches import Batch, channels_first, draw, mirrored
from fiqa_cli.training.crops import hold_out
from fiqa_cli.training.loop import Objective, Task, Terms
from fiqa_cli.training.parallel import Processes
from fiqa_cli.training.pictures import Pictures
from fiqa_cli.training.plan import Architecture, Plan, digest
from fiqa_cli.training.schedule import Schedule

TIME_BOUND = 100
SCORED_FROM = 4
"""The first time step at which DifFIQA restores."""
MONITORED = 96
# These move the face, alone or in a mixture: a restoration would have to guess where to.
MOVING = ("misalignment", "pose", "mixture")


@dataclass(frozen=True, kw_only=True)
class DiffusionRecipe(Schedule):
    """Everything that decides the weights; the defaults are the official recipe of DifFIQA."""

    command: ClassVar[str] = "diffusion"

    data: tuple[str, ...]
    steps: int = 100_000
    batch: int = 64
    accumulate: int = 4
    rate: float = 8e-5
    average: float = 0.9995
    copies: int = 2
    """Degraded copies of each crop."""
    held_out: int = 0
    """Identities that are watched and not trained on."""
    dim: int = 128
    multipliers: tuple[int, ...] = (1, 2, 4, 8)
    patch: int = 1
    heads: int = 4
    head_width: int = 32
    identity: bool = False
    """Whether training begins at a network that gives back its input (`start_as_identity`)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.identity and self.dim < 3 * self.patch**2:
            raise FiqaError(f"--identity needs --dim {3 * self.patch**2} or more")

    @property
    def unet(self) -> UNetConfig:
        """The size of the network."""
        return UNetConfig(self.dim, self.multipliers, self.patch, self.heads, self.head_width)


class Restoration(Objective):
    """Squared error of the clean crops, predicted from the worsened and noised ones."""

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.student = student

    def forward(
        self, clean: Tensor, degraded: Tensor, noise: Tensor, time: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of crops and their degraded copies, both uint8 `[N, 3, H, W]`.

        `noise` is of the same shape, standard normal; `time` integers `[N]` or `[1]`.
        """
        pair = normalise(clean), normalise(degraded)
        return restoration_loss(self.student, *pair, noise, time).mean(), {}


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


def restorable(pictures: Pictures) -> NDArray[np.bool_]:
    """The pictures `[crops, columns]`, clean or degraded, whose face is where the clean one is."""
    return ~np.isin(pictures.kinds(), MOVING)


def tensors_of(batch: Batch, pictures: Pictures) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What `Restoration` takes of a batch; a clean crop is its own copy.

    Half of the pairs are mirrored.
    """
    crop = batch.numbers // pictures.columns
    clean, degraded = pictures.clean(crop), pictures.read(batch.numbers)
    rng = batch.rng(2)
    time = rng.integers(0, TIME_BOUND, batch.size)[batch.share]
    noise = rng.standard_normal((batch.size, 3, *clean.shape[1:3]), np.float32)[batch.share]
    return (
        channels_first(mirrored(clean, batch)),
        channels_first(mirrored(degraded, batch)),
        torch.from_numpy(noise),
        torch.from_numpy(time),
    )


def prepare(
    recipe: DiffusionRecipe,
    pictures: Pictures,
    out: Path,
    processes: Processes,
    notify: Callable[[str], None],
) -> Plan:
    """Choose the pictures, and put the U-Net together.

    With every checkpoint goes the loss on the held-out identities, and its root at the time step
    at which DifFIQA begins to restore. Raises `FiqaError` where the recipe does not fit the data.
    """
    held_out = hold_out(pictures.crops.identities, recipe.held_out, recipe.seed)[:, None]
    usable = restorable(pictures)
    rows, watched = np.flatnonzero(usable & ~held_out), np.flatnonzero(usable & held_out)
    torch.manual_seed(recipe.seed)
    student = UNet(recipe.unet)
    if recipe.identity:
        start_as_identity(student)
    student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(
        student.parameters(),
        lr=recipe.rate,
        betas=(0.9, 0.99),
        weight_decay=recipe.weight_decay,
        fused=True,
    )

    def tensors(batch: Batch) -> tuple[Tensor, ...]:
        return tensors_of(batch, pictures)

    def monitor(kept: nn.Module) -> Terms:
        errors, scoring, size = [], [], min(recipe.batch, len(watched))
        objective = Restoration(kept)
        for number in range(math.ceil(min(MONITORED, len(watched)) / max(size, 1))):
            given = tensors_of(draw(watched, number, size, recipe.seed), pictures)
            clean, degraded, noise, time = (tensor.to(processes.device) for tensor in given)
            errors.append(objective(clean, degraded, noise, time)[0].item())
            early = torch.full_like(time, SCORED_FROM)
            scoring.append(objective(clean, degraded, noise, early)[0].item())
        if not errors:
            return {}
        return {"held out": float(np.mean(errors)), "rms at 4": float(np.mean(scoring)) ** 0.5}

    task = Task(Restoration(student), optimiser, rows, tensors, monitor)
    counts = {"pictures": len(rows), "pictures watched": len(watched)}
    architecture = Architecture("diffiqa", "unet", asdict(recipe.unet))
    taught = digest(rows, pictures.crops.identities)
    return Plan(task, recipe.over(len(rows)), architecture, counts, taught)
