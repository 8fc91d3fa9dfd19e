"""Train `ediffiqa-n`: a MobileFaceNet with a quality head, from a bank of labelled crops.

    python -m fiqa_cli.training.distillation --bank BANK --teacher TEACHER.pt --out RUN

Loss, after eDifFIQA (Babnik et al., TBIOM 2024): L1 between quality and label, plus
`CONSISTENCY` times 1 - cosine between the projected embedding and the teacher's. Every random
choice depends on the seed and the step alone, so a run that is stopped and started again, with
the same command, goes on as if it had never stopped.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from fiqa_cli.networks.heads import EDifFIQANetwork
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.training.bank import Bank, open_bank
from fiqa_cli.training.batches import batch_rows, mirrored, to_input
from fiqa_cli.training.crops import HELD_OUT_IDENTITIES, hold_out
from fiqa_cli.training.folding import fold
from fiqa_cli.training.labels import bank_labels
from fiqa_cli.training.loop import Terms, run
from fiqa_cli.training.schedule import Schedule
from fiqa_cli.training.warm_start import start_from

CONSISTENCY = 0.5
# The layers at 56 and 28 pixels: half of the cost, and those closest to the teacher's.
FRONT = ("conv1", "conv2_dw", "conv_23", "conv_3")


@dataclass(frozen=True, slots=True, kw_only=True)
class QualitySchedule(Schedule):
    """The schedule of `ediffiqa-n`: the backbone is slower than the head, its front frozen."""

    steps: int = 6000
    batch: int = 16
    frozen: int = 3000
    """Steps for which the layers of `FRONT` stay as they are."""
    backbone_rate: float = 3e-4
    head_rate: float = 1e-3


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


def distillation_loss(
    projected: Tensor, quality: Tensor, embedding: Tensor, label: Tensor
) -> tuple[Tensor, Tensor]:
    """The two terms, unweighted: mean L1 of the quality, mean 1 - cosine of the embeddings."""
    consistency = 1 - F.cosine_similarity(projected, embedding)
    return F.l1_loss(quality, label), consistency.mean()


def start(bank: Bank, teacher: Path, mean_label: float, seed: int) -> Student:
    """A student that begins with the teacher's weights, folded for fast training."""
    torch.manual_seed(seed)
    student = Student(bank.embeddings.shape[-1])
    recogniser = student.network.get_submodule("base_model")
    assert isinstance(recogniser, MobileFaceNet)
    start_from(teacher, recogniser, bank.crops[:, 0], seed)
    with torch.no_grad():
        # The head reads unit vectors of 512 values; it is initialised for values of unit size.
        student.network.mlp.l1.weight *= 512**0.5
        student.network.mlp.l2.bias.fill_(mean_label)
    student.eval()  # the last normalisation keeps its statistics, too
    fold(student)
    student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return student


def optimiser(student: Student, schedule: QualitySchedule) -> torch.optim.AdamW:
    """AdamW with a slower backbone than head and projection."""
    head = [*student.network.mlp.parameters(), *student.projection.parameters()]
    groups = [
        {"params": list(student.network.base_model.parameters()), "lr": schedule.backbone_rate},
        {"params": head, "lr": schedule.head_rate},
    ]
    return torch.optim.AdamW(groups, weight_decay=1e-4, fused=True)


def train(bank: Bank, teacher: Path, out: Path, schedule: QualitySchedule, every: int) -> None:
    """Run or continue a schedule, with `out/checkpoint.pt` renewed `every` so many steps.

    Raises `FiqaError` if `out` holds a checkpoint of another schedule.
    """
    labels, kept = bank_labels(bank.embeddings, bank.identities)
    kept &= ~hold_out(bank.identities, HELD_OUT_IDENTITIES, schedule.seed)[:, None]
    rows = np.flatnonzero(kept)
    student = start(bank, teacher, float(labels[kept].mean()), schedule.seed)

    def loss(step: int) -> tuple[Tensor, Terms]:
        for name in FRONT:
            getattr(student.network.base_model, name).requires_grad_(step >= schedule.frozen)
        chosen = batch_rows(rows, step, schedule.batch, schedule.seed)
        quality, consistency = batch_loss(student, bank, labels, chosen, step, schedule.seed)
        terms = {"quality": quality.item(), "consistency": consistency.item()}
        return quality + CONSISTENCY * consistency, terms

    run(student, optimiser(student, schedule), schedule, loss, out, every)


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
    # The labels hold for the mirror images, too.
    projected, quality = student(to_input(mirrored(bank.crops[crop, column], step, seed)))
    return distillation_loss(
        projected,
        quality,
        torch.from_numpy(bank.embeddings[crop, column]),
        torch.from_numpy(labels[crop, column]),
    )


def main() -> None:
    """Train from the command line."""
    default = QualitySchedule()
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
    schedule = QualitySchedule(
        steps=options.steps, batch=options.batch, frozen=options.frozen, seed=options.seed
    )
    train(open_bank(options.bank), options.teacher, options.out, schedule, options.every)


if __name__ == "__main__":
    main()
