"""The training loop: steps of an optimiser, the weights to keep, checkpoints and reports.

A run that is stopped and started again goes on as if it had never stopped, as long as a batch
depends on its seed and step alone.
"""

import copy
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.precision import Precision, dtype
from fiqa_cli.training.batches import Batch, draw
from fiqa_cli.training.checkpoint import resume, save
from fiqa_cli.training.parallel import Processes
from fiqa_cli.training.schedule import Schedule

Terms = dict[str, float]
Weights = dict[str, Tensor]
Made = TypeVar("Made")

PREPARED = 2
"""Batches that are read and degraded while one is computed."""
PATIENCE = 1.0
"""Seconds without a checkpoint after which a report is due."""


class Objective(nn.Module):
    """A student and the loss that it is trained with.

    Maps the tensors of a batch to the loss and to the terms to tell people, all scalars.
    """

    student: nn.Module


@dataclass
class Task:
    """What a run trains, and on what."""

    objective: Objective
    optimiser: torch.optim.Optimizer
    rows: NDArray[np.int64]
    """The pictures that are drawn."""
    tensors: Callable[[Batch], tuple[Tensor, ...]]
    """What the objective gets of a batch, on the CPU; called in a thread of its own."""
    monitor: Callable[[nn.Module], Terms] = lambda kept: {}
    """Judges the network that would be kept, in eval mode, whenever a checkpoint is written."""
    lowest: str = ""
    """The term of the monitor whose lowest value decides which weights are kept."""
    frozen: Sequence[nn.Parameter] = ()
    """Weights that stay as they are for some steps."""
    thaw: int | None = None
    """The step from which on they are trained too; `None`: never."""


@dataclass(frozen=True, slots=True)
class Report:
    """How far a run is."""

    step: int
    steps: int
    terms: Terms
    """Means of the loss and its terms since the last report; the monitor's at a checkpoint."""
    rate: float
    """Pictures per second."""
    left: float
    """Seconds to go."""
    is_checkpoint: bool
    unit: str = "crops"
    """What `rate` counts."""


class Best:
    """The weights with the lowest value of a term so far."""

    def __init__(self) -> None:
        self.value = math.inf
        self.weights: Weights = {}

    def see(self, value: float, network: nn.Module) -> None:
        """Keep a copy of the weights if `value` is the lowest."""
        if value < self.value:
            self.value, self.weights = value, on_cpu(network)

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"value": self.value, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """From the checkpoint."""
        self.value, self.weights = state["value"], state["weights"]


def run(
    task: Task,
    schedule: Schedule,
    recipe: Mapping[str, Any],
    out: Path,
    processes: Processes,
    every: int,
    observers: Sequence[Callable[[Report], None]] = (),
    keep: Callable[[Weights, Report], None] = lambda weights, report: None,
) -> Weights:
    """Train to the end of the schedule, or go on from `out/checkpoint.pt`; the weights to keep.

    These are the averaged ones, if the schedule has an average, and the best ones, if the task
    tells what is lowest. A checkpoint is written `every` so many steps and at the end; it goes on
    only with the same `recipe`. `keep` gets the weights to keep with every checkpoint. The first
    process alone writes files and calls `keep` and the `observers`.
    Raises `FiqaError` for a checkpoint of another recipe, for a batch that cannot be shared out,
    and where the loss is not finite.
    """
    if schedule.batch % (processes.count * schedule.accumulate):
        raise FiqaError(
            f"a batch of {schedule.batch} cannot be split evenly over {processes.count} processes "
            f"and {schedule.accumulate} parts: change --batch or --accumulate"
        )
    device, objective = processes.device, task.objective.to(processes.device)
    student = objective.student
    kept = copy.deepcopy(student).eval() if schedule.average else student
    best, checkpoint = Best(), out / "checkpoint.pt"
    rates = torch.optim.lr_scheduler.LambdaLR(task.optimiser, schedule.factor)
    scaler = torch.amp.GradScaler(device.type, enabled=schedule.precision is Precision.FP16)
    parts = {
        "student": student,
        "optimiser": task.optimiser,
        "rates": rates,
        "scaler": scaler,
        "best": best,
    }
    if schedule.average:
        parts["average"] = kept
    first = resume(checkpoint, parts, recipe)
    processes.wait()  # for the slowest to have read the checkpoint before it is replaced

    def batch(step: int) -> tuple[Tensor, ...]:
        drawn = draw(
            task.rows, step, schedule.batch, schedule.seed, processes.rank, processes.count
        )
        return task.tensors(drawn)

    _freeze(task.frozen, task.thaw is None or first < task.thaw)
    shared, means = processes.share(objective), Means()
    began = reported = time.monotonic()
    for step, tensors in ahead(batch, first, schedule.steps):
        if step == task.thaw and step != first:
            _freeze(task.frozen, False)
            shared = processes.share(objective)
        tensors = tuple(tensor.to(device, non_blocking=True) for tensor in tensors)
        task.optimiser.zero_grad()
        for part in pieces(tensors, schedule.accumulate):
            with torch.autocast(
                device.type,
                dtype(schedule.precision),
                enabled=schedule.precision is not Precision.FP32,
            ):
                loss, terms = shared(*part)
            share = len(part[0]) / len(tensors[0])
            scaler.scale(loss * share).backward()
            means.add({"loss": loss, **terms}, share)
        scaler.unscale_(task.optimiser)
        if schedule.clip:
            nn.utils.clip_grad_norm_(student.parameters(), schedule.clip)
        scaler.step(task.optimiser)
        scaler.update()
        rates.step()
        if schedule.average:
            follow(kept, student, schedule.average_decay(step))

        done = step + 1
        is_checkpoint = done % every == 0 or done == schedule.steps
        if not processes.is_first or not (is_checkpoint or time.monotonic() - reported >= PATIENCE):
            continue
        told = means.take()
        if not math.isfinite(told["loss"]):
            raise FiqaError(f"the loss is not finite at step {done}: lower the learning rates")
        if is_checkpoint:
            told |= judge(task, kept, best)
        reported = time.monotonic()
        rate = (done - first) * schedule.batch / (reported - began)
        left = (schedule.steps - done) * schedule.batch / rate
        report = Report(done, schedule.steps, told, rate, left, is_checkpoint)
        if is_checkpoint:
            keep(best.weights or on_cpu(kept), report)
            # Last, so that a run that is killed in between keeps these weights again.
            save(checkpoint, parts, recipe, done)
        for observer in observers:
            observer(report)
    processes.wait()
    return best.weights or on_cpu(kept)


def judge(task: Task, network: nn.Module, best: Best) -> Terms:
    """What the monitor says of the network, which keeps its mode."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    with torch.inference_mode():
        told = task.monitor(network)
    for module, mode in modes:
        module.training = mode
    if task.lowest in told:
        best.see(told[task.lowest], network)
    return told


def ahead(make: Callable[[int], Made], first: int, last: int) -> Iterator[tuple[int, Made]]:
    """The steps from `first` to `last`, exclusive, and what `make` gives for each, in advance."""
    with ThreadPoolExecutor(1, "batch") as pool:
        soon = min(first + PREPARED, last)
        waiting = deque(pool.submit(make, step) for step in range(first, soon))
        try:
            for step in range(first, last):
                made = waiting.popleft().result()
                if step + PREPARED < last:
                    waiting.append(pool.submit(make, step + PREPARED))
                yield step, made
        finally:
            pool.shutdown(cancel_futures=True)


def pieces(tensors: tuple[Tensor, ...], count: int) -> Iterator[tuple[Tensor, ...]]:
    """The rows of `tensors` in `count` parts of about the same size."""
    return zip(*(tensor.tensor_split(count) for tensor in tensors), strict=True)


class Means:
    """Means of terms, summed where they are, so that no step waits for a device."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0.0

    def add(self, terms: Mapping[str, Tensor], share: float = 1.0) -> None:
        """Count the terms of a step, or of a part of it."""
        for name, value in terms.items():
            added = value.detach() * share
            self._sums[name] = self._sums[name] + added if name in self._sums else added
        self._count += share

    def take(self) -> Terms:
        """The means since the last call."""
        means = {name: value.item() / self._count for name, value in self._sums.items()}
        self._sums, self._count = {}, 0.0
        return means


@torch.no_grad()
def follow(average: nn.Module, student: nn.Module, decay: float) -> None:
    """Move every averaged weight by `1 - decay` of the way to the student's; copy the buffers."""
    for mean, value in zip(average.parameters(), student.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)
    for held, buffer in zip(average.buffers(), student.buffers(), strict=True):
        held.copy_(buffer)


def on_cpu(network: nn.Module) -> Weights:
    """A copy of the weights."""
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def _freeze(weights: Sequence[nn.Parameter], still: bool) -> None:
    for weight in weights:
        weight.requires_grad_(not still)
