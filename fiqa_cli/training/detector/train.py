"""A phase of a detector's training: resumable, and the same after a resume as without one."""

import argparse
import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from fiqa_cli.errors import FiqaError
from fiqa_cli.networks.scrfd import STRIDES, Scrfd
from fiqa_cli.training.detector.answers import TeacherHead, answer_loss
from fiqa_cli.training.detector.assignment import make_anchors
from fiqa_cli.training.detector.batches import (
    Batch,
    CanvasBatches,
    Turns,
    canvas_styles,
    in_turn,
    load_sources,
)
from fiqa_cli.training.detector.labels import load_labels
from fiqa_cli.training.detector.loss import detector_loss, imitation_loss
from fiqa_cli.training.detector.phases import PHASES, Phase, same_so_far
from fiqa_cli.training.detector.photos import photo_names, split_photos
from fiqa_cli.training.detector.teacher_memory import TeacherMemory
from fiqa_cli.training.loop import PATIENCE, Means, Report, ahead
from fiqa_cli.training.reporting import on_console

CPU = torch.device("cpu")
TEACHER_CHANNELS = 64
"""Of the teacher's features, the same at each level: insightface's SCRFD of 2.5 GFLOP."""
TERMS = ("loss", "score", "box", "landmark", "imitation")


class Run:
    """The state of a phase: network, averaged network, optimiser, steps done."""

    def __init__(
        self, phase: Phase, device: torch.device = CPU, teacher_channels: int = TEACHER_CHANNELS
    ) -> None:
        torch.manual_seed(phase.seed)
        self.phase = phase
        self.device = device
        net = Scrfd(phase.depth, phase.width)
        self.net = net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.net).eval()
        self.adapters = nn.ModuleList(
            nn.Conv2d(channels, teacher_channels, 1)
            for channels in (net.channels if phase.imitation else ())
        ).to(device)
        """From the student's features to the teacher's; of no use after the training."""
        self.optimiser = torch.optim.AdamW(
            [*self.net.parameters(), *self.adapters.parameters()],
            lr=phase.rate,
            weight_decay=phase.weight_decay,
        )
        self.done = 0

    def start_from(self, paths: Sequence[Path]) -> None:
        """Begin with the averaged weights of the phase before, or their mean over several."""
        self.net.grow_from(mean_weights(paths))
        self.averaged.load_state_dict(self.net.state_dict())

    def save(self, path: Path) -> None:
        """Write a checkpoint, atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        state = {
            "recipe": asdict(self.phase),
            "net": self.net.state_dict(),
            "averaged": self.averaged.state_dict(),
            "adapters": self.adapters.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "done": self.done,
        }
        torch.save(state, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint of the same phase.

        The number of steps and the start of the closing part may differ if the steps done so far
        are the same under both. Raises `FiqaError` for a checkpoint of another phase.
        """
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        stored = Phase(**state["recipe"])
        if not same_so_far(stored, self.phase, state["done"]):
            raise FiqaError(f"{path} was made with {stored}: delete it or use the same options")
        self.net.load_state_dict(state["net"])
        self.averaged.load_state_dict(state["averaged"])
        self.adapters.load_state_dict(state["adapters"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.done = state["done"]

    def step(self, batch: Batch) -> Tensor:
        """Train on one batch; returns the losses `[5]`, as in `TERMS`."""
        batch = batch.to(self.device)
        for group in self.optimiser.param_groups:
            group["lr"] = self.phase.rate_at(self.done)
        anchors = make_anchors(*batch.images.shape[2:]).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.phase.bf16):
            levels = self.net.features((batch.images.float() - 127.5) / 128)
        # Boxes and landmarks are too large for the eight bits of bfloat16.
        features = [level.float() for level in levels]
        predictions = self.net.predict(features)
        if self.phase.answers:
            assert batch.answers is not None and batch.readable is not None
            losses = answer_loss(
                predictions, anchors, batch.answers, batch.readable, self.phase.undecided
            )
        else:
            losses = detector_loss(predictions, anchors, batch.targets)
        weight = self.phase.landmark_weights[self.done >= self.phase.closing]
        total, distance = losses.total(weight), torch.zeros((), device=self.device)
        if self.phase.imitation:
            assert batch.features is not None
            own = [adapt(level) for adapt, level in zip(self.adapters, features, strict=True)]
            pairs = zip(own, batch.features, STRIDES, strict=True)
            distance = torch.stack(
                [imitation_loss(x, y, batch.targets, stride) for x, y, stride in pairs]
            ).mean()
            total = total + self.phase.imitation * distance
        self.optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        self.optimiser.step()
        self.done += 1
        self._average()
        return torch.stack([total, *losses, distance]).detach()

    @torch.no_grad()
    def _average(self) -> None:
        # The early average forgets faster, or the random start would stay in it.
        keep = min(self.phase.average, self.done / (self.done + 10))
        for slow, fast in zip(
            self.averaged.state_dict().values(), self.net.state_dict().values(), strict=True
        ):
            if slow.is_floating_point():
                slow.lerp_(fast, 1 - keep)


def mean_weights(checkpoints: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of the averaged weights of runs of equal depth and width.

    Of two runs of which one began where the other ended it may do better than both (Wortsman et
    al.: Model soups, 2022).
    """
    states = [
        torch.load(path, map_location="cpu", weights_only=True)["averaged"] for path in checkpoints
    ]
    return {name: torch.stack([s[name] for s in states]).float().mean(0) for name in states[0]}


def train(
    run: Run,
    batches: CanvasBatches | Turns,
    checkpoint: Path,
    every: int = 200,
    observers: Sequence[Callable[[Report], None]] = (),
) -> None:
    """Train `run` to the end of its phase, with a checkpoint `every` so many steps and at the end.

    Raises `FiqaError` where the loss is not finite.
    """
    first, steps, means = run.done, run.phase.steps, Means()
    told_of = TERMS if run.phase.imitation else TERMS[:-1]
    began = reported = time.monotonic()
    canvases = 0
    for _, batch in ahead(batches.__getitem__, first, steps):
        means.add(dict(zip(told_of, run.step(batch), strict=False)))
        canvases += len(batch.images)
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


def main() -> None:
    """Train, or continue, the detector from photos and their labels."""
    parser = argparse.ArgumentParser(
        description=main.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--labels", type=Path, required=True, help="what `labels` wrote")
    parser.add_argument("--checkpoint", type=Path, required=True, help="continued if it exists")
    parser.add_argument("--phase", type=int, choices=PHASES, default=1, help="of the recipe")
    parser.add_argument(
        "--start", type=Path, nargs="+", help="checkpoint of the phase before; the mean of several"
    )
    parser.add_argument(
        "--memory",
        type=Path,
        nargs="+",
        help="what `remember` wrote, for phases 4, 6, 10 and 11; for phase 8 that of 6 and that of "
        "4, for phase 9 that of 9 and that of 6",
    )
    parser.add_argument("--teacher", type=Path, help="what `remember` got, from phase 8 on")
    parser.add_argument(
        "--crops", type=Path, help="what `remember` got, for phase 6 and from phase 8 on"
    )
    parser.add_argument("--hard", type=Path, help="what `mine` wrote, for phases 5 and 7")
    parser.add_argument("--steps", type=int, help="batches to train on, if not the phase's own")
    parser.add_argument("--seed", type=int, default=Phase.seed, help="of weights and canvases")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the network")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    if (options.phase > 1) != (options.start is not None):
        parser.error("phase 1 has no --start, the others need it")
    phase = PHASES[options.phase]
    if (phase.imitation > 0) != (options.memory is not None):
        parser.error("phases 4, 6 and 8 to 11 need --memory, the others have none")
    if options.memory and len(options.memory) != max(1, len(phase.answers)):
        parser.error("phases 4, 6, 10 and 11 take one --memory, phases 8 and 9 two")
    if bool(phase.answers) != (options.teacher is not None):
        parser.error("phases 8 to 11 need --teacher, the others have none")
    if ("mined" in phase.styles) != (options.hard is not None):
        parser.error("phases 5 and 7 need --hard, the others have none")
    styles = canvas_styles(phase)
    if any(style.pasted for style in styles) != (options.crops is not None):
        parser.error("phases 6 and 8 to 11 need --crops, the others have none")
    run = Run(replace(phase, steps=options.steps or phase.steps, seed=options.seed))
    if options.checkpoint.exists():
        run.load(options.checkpoint)
    elif options.start:
        run.start_from(options.start)
    names = split_photos(photo_names(options.photos)).training
    hard = options.hard.read_text().split() if options.hard else []
    labels = load_labels(options.labels)
    sources = load_sources(options.photos, names, labels, hard, options.crops)
    memories = [TeacherMemory(folder) for folder in options.memory or ()]
    batches: CanvasBatches | Turns
    if phase.answers:
        batches = in_turn(sources, options.seed, styles, memories, TeacherHead(options.teacher))
    else:
        memory = memories[0] if memories else None
        early, late = styles
        batches = CanvasBatches(sources, options.seed, (early, late), phase.closing, memory=memory)
    with on_console(Console(stderr=True)) as observer:
        train(run, batches, options.checkpoint, observers=[observer])


if __name__ == "__main__":
    main()
