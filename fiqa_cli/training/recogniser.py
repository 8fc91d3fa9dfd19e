"""Train `fr-n`: a MobileFaceNet that embeds as the teacher does the faces that the teacher knows.

    python -m fiqa_cli.training.recogniser --bank BANK --teacher TEACHER.pt --out RUN

DifFIQA and FaceQAN ask how little an embedding moves when the picture is noised, restored, attacked
or mirrored, so poor pictures have to move more. The teacher does not do that by itself: it maps
destroyed faces to much the same embedding, which stays where it is. Hence two terms, where the
stability of a degraded copy is the cosine of the teacher's embedding to that of the clean crop:

- 1 - cosine to the teacher's embedding of the same picture, weighted by its stability: the student
  learns what the teacher knows, and not where it puts the faces that it does not know;
- `SYMMETRY` times the L1 distance of the cosine between a copy and its mirror image to the
  stability. Clean crops are left out of it, and no mirror image is ever given the teacher's
  embedding of the unmirrored one: they differ by pose and light, which should show.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn import functional as F

from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.training.bank import Bank, open_bank
from fiqa_cli.training.batches import batch_rows, to_input
from fiqa_cli.training.crops import HELD_OUT_IDENTITIES, hold_out
from fiqa_cli.training.embeddings import cosine
from fiqa_cli.training.folding import fold
from fiqa_cli.training.loop import Terms, run
from fiqa_cli.training.schedule import Schedule
from fiqa_cli.training.warm_start import start_from

FEATURES = 128
SYMMETRY = 0.2
MONITORED = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class RecogniserSchedule(Schedule):
    """The schedule of `fr-n`."""

    steps: int = 2000
    batch: int = 16
    rate: float = 2e-4


def start(bank: Bank, teacher: Path, seed: int) -> MobileFaceNet:
    """A student that begins with the teacher's weights, folded for fast training."""
    torch.manual_seed(seed)
    student = MobileFaceNet(FEATURES)
    start_from(teacher, student, bank.crops[:, 0], seed)
    student.eval()  # the last normalisation keeps its statistics, too
    fold(student)
    student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return student


def stability(bank: Bank) -> NDArray[np.float32]:
    """Cosine `[N, 1 + copies]`, at least 0, of the teacher's embeddings to those of clean crops."""
    return np.maximum(cosine(bank.embeddings, bank.embeddings[:, :1]), 0)


def terms(
    network: nn.Module,
    bank: Bank,
    stable: NDArray[np.float32],
    crop: NDArray[np.int64],
    column: NDArray[np.int64],
) -> tuple[Tensor, Tensor]:
    """The terms of the loss, unweighted, on some pictures of a bank: imitation and symmetry.

    `stable` is `stability(bank)`; picture `i` is in row `crop[i]` and column `column[i]`.
    """
    pictures = bank.crops[crop, column]
    target = torch.from_numpy(stable[crop, column])
    embedding = network(to_input(pictures))
    distance = 1 - F.cosine_similarity(embedding, torch.from_numpy(bank.embeddings[crop, column]))
    imitation = (target * distance).sum() / target.sum()

    copies = np.flatnonzero(column)
    mirror = network(to_input(np.ascontiguousarray(pictures[copies, :, ::-1])))
    symmetry = F.cosine_similarity(embedding[copies], mirror)
    return imitation, F.l1_loss(symmetry, target[copies], reduction="sum") / len(crop)


def train(bank: Bank, teacher: Path, out: Path, schedule: RecogniserSchedule, every: int) -> None:
    """Run or continue a schedule, with `out/checkpoint.pt` renewed `every` so many steps.

    What `watch` says of the held-out identities is printed along.
    Raises `FiqaError` if `out` holds a checkpoint of another schedule.
    """
    held_out = hold_out(bank.identities, HELD_OUT_IDENTITIES, schedule.seed)
    stable = stability(bank)
    rows = np.flatnonzero(np.repeat(~held_out, stable.shape[1]))
    watched = np.flatnonzero(held_out)
    watched = watched[:: max(1, len(watched) // MONITORED)]
    student = start(bank, teacher, schedule.seed)
    optimiser = torch.optim.AdamW(
        student.parameters(), lr=schedule.rate, weight_decay=1e-4, fused=True
    )

    def loss(step: int) -> tuple[Tensor, Terms]:
        chosen = batch_rows(rows, step, schedule.batch, schedule.seed)
        imitation, symmetry = terms(student, bank, stable, *np.divmod(chosen, stable.shape[1]))
        parts = {"imitation": imitation.item(), "symmetry": symmetry.item()}
        return imitation + SYMMETRY * symmetry, parts

    def monitor(average: nn.Module) -> Terms:
        return watch(average, bank, watched)

    run(student, optimiser, schedule, loss, out, every, monitor)


@torch.inference_mode()
def embed(network: nn.Module, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embeddings `[N, D]` of crops `[N, 112, 112, 3]`."""
    parts = [network(to_input(crops[first : first + 40])) for first in range(0, len(crops), 40)]
    return torch.cat(parts).numpy()


def watch(network: nn.Module, bank: Bank, crops: NDArray[np.int64]) -> Terms:
    """How the network does on some crops of a bank and the first degraded copy of each.

    The mean cosine to the teacher of the `clean` crops, of the `copies` and of the `known` ones
    among them, whose stability is 0.5 or more; and Spearman's correlation `rank` between the
    stability of the copies and the cosine to their mirror images.
    """
    clean, copies = bank.crops[crops, 0], bank.crops[crops, 1]
    stable = stability(bank)[crops, 1]
    embedding = embed(network, copies)
    to_teacher = cosine(embedding, bank.embeddings[crops, 1])
    symmetry = cosine(embedding, embed(network, np.ascontiguousarray(copies[:, :, ::-1])))
    return {
        "clean": float(cosine(embed(network, clean), bank.embeddings[crops, 0]).mean()),
        "copies": float(to_teacher.mean()),
        "known": float(to_teacher[stable >= 0.5].mean()),
        "rank": float(spearmanr(symmetry, stable).statistic),
    }


def main() -> None:
    """Train from the command line."""
    default = RecogniserSchedule()
    parser = argparse.ArgumentParser(description="Train fr-n from a bank.")
    parser.add_argument("--bank", type=Path, required=True, help="made by training.bank")
    parser.add_argument("--teacher", type=Path, required=True, help="the teacher's state dict")
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--steps", type=int, default=default.steps)
    parser.add_argument("--batch", type=int, default=default.batch)
    parser.add_argument("--rate", type=float, default=default.rate)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--every", type=int, default=100, help="steps between checkpoints")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    schedule = RecogniserSchedule(
        steps=options.steps, batch=options.batch, rate=options.rate, seed=options.seed
    )
    train(open_bank(options.bank), options.teacher, options.out, schedule, options.every)


if __name__ == "__main__":
    main()
