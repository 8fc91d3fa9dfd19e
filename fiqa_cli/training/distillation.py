"""Train `ediffiqa-n`: a MobileFaceNet with a quality head, from a bank of labelled crops.

    python -m fiqa_cli.training.distillation --bank BANK --teacher TEACHER.pt --out RUN

Loss, after eDifFIQA (Babnik et al., TBIOM 2024): L1 between quality and label, plus
`CONSISTENCY` times 1 - cosine between the projected embedding and the teacher's. Every random
choice depends on the seed and the step alone, so a run that is stopped and started again, with
the same command, goes on as if it had never stopped.
"""

import argparse
import copy
import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from fiqa_cli.errors import FiqaError
from fiqa_cli.networks.heads import EDifFIQANetwork
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.training.bank import Bank, open_bank
from fiqa_cli.training.crops import hold_out
from fiqa_cli.training.folding import fold
from fiqa_cli.training.labels import bank_labels
from fiqa_cli.training.warm_start import warm_start

CONSISTENCY = 0.5
HELD_OUT_IDENTITIES = 40
# The layers at 56 and 28 pixels: half of the cost, and those closest to the teacher's.
FRONT = ("conv1", "conv2_dw", "conv_23", "conv_3")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to train; rates fall by a cosine after a linear warm-up."""

    steps: int = 6000
    batch: int = 16
    frozen: int = 3000
    """Steps for which the layers of `FRONT` stay as they are."""
    backbone_rate: float = 3e-4
    head_rate: float = 1e-3
    warm_up: int = 200
    average: float = 0.998
    """Decay of the exponential moving average of the weights, which is what is kept."""
    seed: int = 1

    def factor(self, step: int) -> float:
        """Share of the full learning rate at a step."""
        rise = min(1.0, (step + 1) / self.warm_up)
        return rise * 0.5 * (1 + math.cos(math.pi * step / self.steps))


class Student(nn.Module):
    """The network and the projection to the teacher's embedding, which only training needs."""

    def __init__(self, teacher_features: int) -> None:
        super().__init__()
        self.network = EDifFIQANetwork(MobileFaceNet())
        self.projection = nn.Linear(512, teacher_features, bias=False)
        nn.init.eye_(self.projection.weight)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Give the projected embedding `[N, teacher_features]` and the quality `[N]`."""
        embedding, quality = self.network(crops)
        return self.projection(embedding), quality


def to_input(crops: NDArray[np.uint8]) -> Tensor:
    """Crops `[N, 112, 112, 3]` as the network's input: float `[N, 3, 112, 112]` in [-1, 1]."""
    values = torch.from_numpy(crops).permute(0, 3, 1, 2)
    return values.float().div_(127.5).sub_(1)


def distillation_loss(
    projected: Tensor, quality: Tensor, embedding: Tensor, label: Tensor
) -> tuple[Tensor, Tensor]:
    """The two terms, unweighted: mean L1 of the quality, mean 1 - cosine of the embeddings."""
    consistency = 1 - F.cosine_similarity(projected, embedding)
    return F.l1_loss(quality, label), consistency.mean()


def batch_rows(rows: NDArray[np.int64], step: int, batch: int, seed: int) -> NDArray[np.int64]:
    """The rows of one step: a fresh permutation in each epoch, cut into whole batches."""
    per_epoch = len(rows) // batch
    epoch, number = divmod(step, per_epoch)
    order = np.random.default_rng((seed, epoch)).permutation(len(rows))
    return rows[order[number * batch : (number + 1) * batch]]


def mirrored(crops: NDArray[np.uint8], step: int, seed: int) -> NDArray[np.uint8]:
    """Mirror half of the crops, drawn by seed and step: the labels hold for both."""
    chosen = np.random.default_rng((seed, step, 1)).random(len(crops)) < 0.5
    out = crops.copy()
    out[chosen] = out[chosen, :, ::-1]
    return out


def start(bank: Bank, teacher: Path, mean_label: float, seed: int) -> Student:
    """A student that begins with the teacher's weights, folded for fast training."""
    torch.manual_seed(seed)
    student = Student(bank.embeddings.shape[-1])
    state = torch.load(teacher, map_location="cpu", weights_only=True)
    sample = np.random.default_rng(seed).choice(
        len(bank.crops), min(200, len(bank.crops)), replace=False
    )
    recogniser = student.network.get_submodule("base_model")
    assert isinstance(recogniser, MobileFaceNet)
    warm_start(recogniser, state, to_input(bank.crops[np.sort(sample), 0]))
    with torch.no_grad():
        # The head reads unit vectors of 512 values; it is initialised for values of unit size.
        student.network.mlp.l1.weight *= 512**0.5
        student.network.mlp.l2.bias.fill_(mean_label)
    student.eval()  # the last normalisation keeps its statistics, too
    fold(student)
    student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return student


def optimiser(student: Student, schedule: Schedule) -> torch.optim.AdamW:
    """AdamW with a slower backbone than head and projection."""
    head = [*student.network.mlp.parameters(), *student.projection.parameters()]
    groups = [
        {"params": list(student.network.base_model.parameters()), "lr": schedule.backbone_rate},
        {"params": head, "lr": schedule.head_rate},
    ]
    return torch.optim.AdamW(groups, weight_decay=1e-4, fused=True)


def train(bank: Bank, teacher: Path, out: Path, schedule: Schedule, every: int) -> None:
    """Run or continue a schedule, with `out/checkpoint.pt` renewed `every` so many steps.

    Raises `FiqaError` if `out` holds a checkpoint of another schedule.
    """
    labels, kept = bank_labels(bank.embeddings, bank.identities)
    kept &= ~hold_out(bank.identities, HELD_OUT_IDENTITIES, schedule.seed)[:, None]
    rows = np.flatnonzero(kept)

    student = start(bank, teacher, float(labels[kept].mean()), schedule.seed)
    average = copy.deepcopy(student)
    optimise = optimiser(student, schedule)
    rates = torch.optim.lr_scheduler.LambdaLR(optimise, schedule.factor)
    checkpoint = out / "checkpoint.pt"
    parts: dict[str, Any] = {
        "student": student,
        "average": average,
        "optimiser": optimise,
        "rates": rates,
    }
    first = resume(checkpoint, parts, schedule)
    began = time.monotonic()
    for step in range(first, schedule.steps):
        for name in FRONT:
            getattr(student.network.base_model, name).requires_grad_(step >= schedule.frozen)
        chosen = batch_rows(rows, step, schedule.batch, schedule.seed)
        quality, consistency = batch_loss(student, bank, labels, chosen, step, schedule.seed)
        optimise.zero_grad()
        (quality + CONSISTENCY * consistency).backward()  # type: ignore[no-untyped-call]
        optimise.step()
        rates.step()
        # The first weights are far off: the average forgets them faster than its decay would.
        follow(average, student, min(schedule.average, (step + 1) / (step + 10)))
        if (step + 1) % every == 0 or step + 1 == schedule.steps:
            save(checkpoint, parts, schedule, step + 1)
            speed = (step + 1 - first) * schedule.batch / (time.monotonic() - began)
            print(
                f"step {step + 1}/{schedule.steps}  quality {quality.item():.4f}  "
                f"consistency {consistency.item():.4f}  {speed:.1f} crops/s",
                file=sys.stderr,
                flush=True,
            )


def batch_loss(
    student: Student,
    bank: Bank,
    labels: NDArray[np.float32],
    chosen: NDArray[np.int64],
    step: int,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """The terms of the loss on the chosen rows, numbered through the flattened bank."""
    crop, column = np.divmod(chosen, labels.shape[1])
    inputs = to_input(mirrored(bank.crops[crop, column], step, seed))
    projected, quality = student(inputs.contiguous(memory_format=torch.channels_last))
    return distillation_loss(
        projected,
        quality,
        torch.from_numpy(bank.embeddings[crop, column]),
        torch.from_numpy(labels[crop, column]),
    )


@torch.no_grad()
def follow(average: nn.Module, student: nn.Module, decay: float) -> None:
    """Move every averaged weight by `1 - decay` of the way to the student's."""
    for mean, value in zip(average.parameters(), student.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)


def save(checkpoint: Path, parts: dict[str, Any], schedule: Schedule, step: int) -> None:
    """Write a checkpoint; an interruption leaves the one before."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    state = {name: part.state_dict() for name, part in parts.items()}
    partial = checkpoint.with_suffix(".partial")
    torch.save({**state, "schedule": asdict(schedule), "step": step}, partial)
    partial.replace(checkpoint)


def resume(checkpoint: Path, parts: dict[str, Any], schedule: Schedule) -> int:
    """Load a checkpoint, if there is one, into `parts`; returns the step to go on with."""
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if state["schedule"] != asdict(schedule):
        raise FiqaError(f"{checkpoint}: made by another schedule; give the same, or another --out")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["step"])


def main() -> None:
    """Train from the command line."""
    default = Schedule()
    parser = argparse.ArgumentParser(description="Train ediffiqa-n from a bank.")
    parser.add_argument("--bank", type=Path, required=True, help="made by training.bank")
    parser.add_argument("--teacher", type=Path, required=True, help="the teacher's state dict")
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--steps", type=int, default=default.steps)
    parser.add_argument("--frozen", type=int, default=default.frozen)
    parser.add_argument("--batch", type=int, default=default.batch)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--every", type=int, default=100, help="steps between checkpoints")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    schedule = Schedule(
        steps=options.steps, batch=options.batch, frozen=options.frozen, seed=options.seed
    )
    train(open_bank(options.bank), options.teacher, options.out, schedule, options.every)


if __name__ == "__main__":
    main()
