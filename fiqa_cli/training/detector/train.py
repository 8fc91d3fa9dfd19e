"""A detector's training: resumable, and the same after a resume as without one."""

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.precision import Precision, dtype, find_precision
from fiqa_cli.networks.scrfd import STRIDES, Halving, Head, Layout, Scrfd
from fiqa_cli.training.detector.anchors import make_anchors
from fiqa_cli.training.detector.batches import Batch, CanvasBatches
from fiqa_cli.training.detector.loss import answer_loss, part_losses
from fiqa_cli.training.loop import PATIENCE, Means, Report, ahead

CPU = torch.device("cpu")
ANSWERS = 0.3
"""Weight of the answers' loss beside the sum of those of all parts."""
MEASURED = 24
"""Batches from which the ranges of the layers are known before the training."""
MOST = 5.0
"""Norm of a step's gradients, at most."""
TERMS = ("loss", "score", "box", "landmark", "parts")


@dataclass(frozen=True)
class Course:
    """How the training goes: each part for itself first, then all together."""

    steps: int
    alone: int
    """Steps in which each part of the student reads what the teacher's parts put out."""
    seed: int
    rate: float = 3e-3
    """Peak learning rate of Adam."""
    warmup: int = 100
    average: float = 0.998
    """Decay per step of the exponential moving average of the weights."""

    def rate_at(self, step: int) -> float:
        """Learning rate of step `step`, counted from 0.

        Alone: a rise, a plateau and a fall to a tenth; together: a rise to a third, a fall to zero.
        """
        if step < self.alone:
            fall = 0.1 + 0.9 * (self.alone - step) / (0.6 * self.alone)
            return self.rate * min(1.0, (step + 1) / self.warmup, fall)
        rise = (step - self.alone + 1) / self.warmup
        fall = (self.steps - step) / (0.9 * (self.steps - self.alone))
        return 0.35 * self.rate * min(1.0, rise, fall)


class Run:
    """The state of a training: network, averaged network, optimiser, steps done."""

    def __init__(self, course: Course, layout: Layout | None, device: torch.device = CPU) -> None:
        torch.manual_seed(course.seed)
        self.course = course
        self.layout = layout or Layout()
        self.device = device
        self.dtype = dtype(find_precision(Precision.AUTO, device))
        net = Scrfd(self.layout).eval()
        self.net = net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.net)
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=course.rate)
        self.done = 0

    @torch.no_grad()
    def measure(self, batches: CanvasBatches) -> None:
        """Take the statistics of all batch normalisations from some batches, once and for all.

        In the training they only scale: what the teacher's features are depends on how bright the
        picture is, and statistics of a few pictures would hide that from the student.
        """
        for module in self.net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # the mean of all batches
        self.net.train()
        moments = []
        # Beyond all steps: these are not trained on.
        for step in range(self.course.steps, self.course.steps + MEASURED):
            batch = batches[step].to(self.device)
            self.net.parts(batch.pictures, batch.parts or None)
            moments.append([(p.mean((0, 2, 3)), p.square().mean((0, 2, 3))) for p in batch.parts])
        self.net.eval()
        ranges = []
        for part in zip(*moments, strict=True):
            mean, square = (torch.stack(values).mean(0) for values in zip(*part, strict=True))
            ranges.append((mean, (square - mean.square()).clamp(min=0).sqrt()))
        if ranges:
            begin_in_range(self.net, ranges)
        self.averaged.load_state_dict(self.net.state_dict())

    def save(self, path: Path) -> None:
        """Write a checkpoint, atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        state = {
            "course": asdict(self.course),
            "layout": tuple(self.layout),
            "net": self.net.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "done": self.done,
        }
        torch.save(state, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint; raises `FiqaError` if it is of another course or layout."""
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if (Course(**state["course"]), Layout(*state["layout"])) != (self.course, self.layout):
            raise FiqaError(f"{path} is of another training: delete it or use the same options")
        self.net.load_state_dict(state["net"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.done = state["done"]

    def step(self, batch: Batch) -> Tensor:
        """Train on one batch; returns the losses `[5]`, as in `TERMS`."""
        batch = batch.to(self.device)
        for group in self.optimiser.param_groups:
            group["lr"] = self.course.rate_at(self.done)
        alone = bool(batch.parts) and self.done < self.course.alone
        told = batch.parts if alone else None
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            parts = self.net.parts(batch.pictures, told)
        # Boxes and landmarks are too large for the eight bits of bfloat16.
        features = [part.float() for part in (told or parts)[-len(STRIDES) :]]
        anchors = make_anchors(*batch.pictures.shape[2:]).to(self.device)
        losses = answer_loss(self.net.predict(features), anchors, batch.answers)
        apart = torch.zeros((), device=self.device)
        if batch.parts:
            apart = part_losses(parts, batch.parts).sum()
        total = apart + ANSWERS * torch.stack(losses).sum()
        self.optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), MOST)
        self.optimiser.step()
        self.done += 1
        self._average()
        return torch.stack([total, *losses, apart]).detach()

    @torch.no_grad()
    def _average(self) -> None:
        # The early average forgets faster, or the random start would stay in it.
        keep = min(self.course.average, self.done / (self.done + 10))
        for slow, fast in zip(self.averaged.parameters(), self.net.parameters(), strict=True):
            slow.lerp_(fast, 1 - keep)


@torch.no_grad()
def begin_in_range(net: Scrfd, ranges: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Give parts that change the channels the teacher's mean and spread of each to begin with.

    Out of its range a ReLU learns nothing. `ranges` has them in the order of `Scrfd.parts`.
    """

    def last(module: nn.Module) -> nn.BatchNorm2d:
        return [each for each in module.modules() if isinstance(each, nn.BatchNorm2d)][-1]

    trunks = [cast(Head, head).trunk for head in net.heads]
    wholes = [(net.blocks[0], ranges[0]), *zip(trunks, ranges[-len(trunks) :], strict=True)]
    for part, (mean, spread) in wholes:
        last(part).weight.copy_(spread)
        last(part).bias.copy_(mean)
    for block, (mean, spread) in zip(net.blocks, ranges, strict=False):
        if isinstance(block, Halving):
            last(block.short).weight.copy_(0.7 * spread)
            last(block.short).bias.copy_(mean)
            last(block.second).weight.copy_(0.5 * spread)


def train(
    run: Run,
    batches: CanvasBatches,
    checkpoint: Path,
    every: int = 200,
    observers: Sequence[Callable[[Report], None]] = (),
) -> None:
    """Train `run` to the end of its course, a checkpoint `every` so many steps and at the end.

    Raises `FiqaError` where the loss is not finite.
    """
    if not run.done:
        run.measure(batches)
    first, steps, means = run.done, run.course.steps, Means()
    began = reported = time.monotonic()
    canvases = 0
    for _, batch in ahead(batches.__getitem__, first, steps):
        told_of = TERMS if batch.parts else TERMS[:-1]
        means.add(dict(zip(told_of, run.step(batch), strict=False)))
        canvases += len(batch.pictures)
        is_checkpoint = run.done % every == 0 or run.done == steps
        if not is_checkpoint and time.monotonic() - reported < PATIENCE:
            continue
        told = means.take()
        if not math.isfinite(told["loss"]):
            raise FiqaError(f"the loss is not finite at step {run.done}: try another --seed")
        if is_checkpoint:
            run.save(checkpoint)
        reported = time.monotonic()
        seconds = reported - began
        left = (steps - run.done) * seconds / (run.done - first)
        report = Report(run.done, steps, told, canvases / seconds, left, is_checkpoint, "canvases")
        for observer in observers:
            observer(report)
