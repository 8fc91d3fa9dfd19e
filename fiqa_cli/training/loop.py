"""The training loop: steps of an optimiser, an averaged network, checkpoints and a log.

A run that is stopped and started again goes on as if it had never stopped, as long as the loss of
a step depends on the step and the network alone.
"""

import copy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fiqa_cli.training.checkpoint import resume, save
from fiqa_cli.training.schedule import Schedule

Terms = dict[str, float]


def run(
    student: nn.Module,
    optimiser: torch.optim.Optimizer,
    schedule: Schedule,
    loss: Callable[[int], tuple[Tensor, Terms]],
    out: Path,
    every: int,
    monitor: Callable[[nn.Module], Terms] = lambda average: {},
    clip: float = float("inf"),
) -> None:
    """Train `student` to the end of the schedule, or go on from `out/checkpoint.pt`.

    `loss(step)` gives the loss and the terms to print; `monitor` judges the averaged network
    whenever the checkpoint is renewed, which is `every` so many steps and at the end. Gradients
    longer than `clip` are shortened to it. The log goes to stderr.
    Raises `FiqaError` if `out` holds a checkpoint of another schedule.
    """
    average = copy.deepcopy(student)
    rates = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule.factor)
    checkpoint = out / "checkpoint.pt"
    parts: dict[str, Any] = {
        "student": student,
        "average": average,
        "optimiser": optimiser,
        "rates": rates,
    }
    first = resume(checkpoint, parts, schedule)
    began = time.monotonic()
    for step in range(first, schedule.steps):
        total, terms = loss(step)
        optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(student.parameters(), clip)
        optimiser.step()
        rates.step()
        follow(average, student, schedule.decay(step))
        if (step + 1) % every == 0 or step + 1 == schedule.steps:
            save(checkpoint, parts, schedule, step + 1)
            speed = (step + 1 - first) * schedule.batch / (time.monotonic() - began)
            words = [f"{name} {value:.4f}" for name, value in (terms | monitor(average)).items()]
            print(
                f"step {step + 1}/{schedule.steps}  {'  '.join(words)}  {speed:.1f} crops/s",
                file=sys.stderr,
                flush=True,
            )


@torch.no_grad()
def follow(average: nn.Module, student: nn.Module, decay: float) -> None:
    """Move every averaged weight by `1 - decay` of the way to the student's."""
    for mean, value in zip(average.parameters(), student.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)
