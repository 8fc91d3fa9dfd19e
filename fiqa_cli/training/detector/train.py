"""The training run of `scrfd-n`: resumable, and the same after a resume as without one."""

import argparse
import copy
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from fiqa_cli.errors import FiqaError
from fiqa_cli.networks.scrfd import STRIDES, Scrfd
from fiqa_cli.training.detector.assignment import make_anchors
from fiqa_cli.training.detector.augmentation import STYLES
from fiqa_cli.training.detector.batches import Batch, CanvasBatches, load_sources
from fiqa_cli.training.detector.labels import load_labels
from fiqa_cli.training.detector.loss import detector_loss, imitation_loss
from fiqa_cli.training.detector.photos import photo_names, split_photos
from fiqa_cli.training.detector.teacher_memory import TeacherMemory

TEACHER_CHANNELS = 64
"""Of the teacher's features, the same at each level."""


@dataclass(frozen=True)
class Recipe:
    """The options that decide the weights."""

    steps: int = 8400
    rate: float = 2e-3
    """Peak learning rate of AdamW."""
    warmup: int = 200
    decay: float = 0.66
    """Last part of the steps in which the learning rate falls linearly to zero."""
    weight_decay: float = 0.02
    average: float = 0.998
    """Decay per step of the exponential moving average of the weights."""
    closing: int = 2800
    """First step of the closing part: canvases closer to real photos, heavier landmarks."""
    styles: tuple[str, str] = ("varied", "close")
    """Canvases (`STYLES`) before the closing part and in it."""
    landmark_weights: tuple[float, float] = (5.0, 15.0)
    """Weight of the landmark loss before the closing part and in it."""
    imitation: float = 0.0
    """Weight of the distance to the teacher's features; 0: they are not needed."""
    depth: int = 0
    """How often blocks were added to the network (`Scrfd`)."""
    seed: int = 2026

    def rate_at(self, step: int) -> float:
        """Learning rate of step `step`, counted from 0: rise, plateau, fall."""
        rise = (step + 1) / self.warmup
        fall = (self.steps - step) / (self.decay * self.steps)
        return self.rate * min(1.0, rise, fall)


PHASES = {
    1: Recipe(),
    2: Recipe(
        steps=4000,
        rate=1.5e-3,
        decay=0.95,
        closing=2600,
        styles=("close", "near"),
        landmark_weights=(15.0, 15.0),
        depth=1,
    ),
    3: Recipe(
        steps=800,
        rate=8e-4,
        warmup=50,
        decay=0.95,
        average=0.995,
        closing=0,
        styles=("near", "near"),
        landmark_weights=(30.0, 30.0),
        depth=1,
    ),
    4: Recipe(
        steps=7500,
        rate=1.5e-3,
        decay=0.95,
        closing=5000,
        styles=("near", "near"),
        landmark_weights=(15.0, 30.0),
        imitation=4.0,
        depth=2,
    ),
    5: Recipe(
        steps=1500,
        rate=5e-4,
        warmup=50,
        decay=0.95,
        average=0.995,
        closing=0,
        styles=("mined", "mined"),
        landmark_weights=(30.0, 30.0),
        depth=2,
    ),
    6: Recipe(
        steps=5000,
        rate=1e-3,
        warmup=100,
        decay=0.95,
        average=0.997,
        closing=0,
        styles=("crowded", "crowded"),
        landmark_weights=(30.0, 30.0),
        imitation=4.0,
        depth=2,
    ),
}
"""The first begins with random weights, each other one with those of the phase before it; blocks
that are new in it start as the identity."""


class Run:
    """The state of a training run: network, averaged network, optimiser, steps done."""

    def __init__(self, recipe: Recipe) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        net = Scrfd(depth=recipe.depth)
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.net).eval()
        self.adapters = nn.ModuleList(
            nn.Conv2d(channels, TEACHER_CHANNELS, 1)
            for channels in (net.channels if recipe.imitation else ())
        )
        """From the student's features to the teacher's; of no use after the training."""
        self.optimiser = torch.optim.AdamW(
            [*self.net.parameters(), *self.adapters.parameters()],
            lr=recipe.rate,
            weight_decay=recipe.weight_decay,
        )
        self.done = 0

    def start_from(self, path: Path) -> None:
        """Begin with the averaged weights of the phase before."""
        weights = torch.load(path, weights_only=True)["averaged"]
        self.net.load_state_dict(weights, strict=False)
        self.averaged.load_state_dict(self.net.state_dict())

    def save(self, path: Path) -> None:
        """Write a checkpoint, atomically."""
        part = path.with_suffix(".part")
        state = {
            "recipe": asdict(self.recipe),
            "net": self.net.state_dict(),
            "averaged": self.averaged.state_dict(),
            "adapters": self.adapters.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "done": self.done,
        }
        torch.save(state, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint of the same recipe.

        The number of steps and the start of the closing part may differ if the steps done so far
        are the same under both. Raises `FiqaError` for a checkpoint of another recipe.
        """
        state: dict[str, Any] = torch.load(path, weights_only=True)
        stored = Recipe(**state["recipe"])
        if not same_so_far(stored, self.recipe, state["done"]):
            raise FiqaError(f"{path} was made with {stored}: delete it or use the same options")
        self.net.load_state_dict(state["net"])
        self.averaged.load_state_dict(state["averaged"])
        self.adapters.load_state_dict(state["adapters"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.done = state["done"]

    def step(self, batch: Batch) -> Tensor:
        """Train on one batch; returns the losses: score, box, landmark and imitation."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate_at(self.done)
        features = self.net.features((batch.images.float() - 127.5) / 128)
        anchors = make_anchors(*batch.images.shape[2:])
        losses = detector_loss(self.net.predict(features), anchors, batch.targets)
        weight = self.recipe.landmark_weights[self.done >= self.recipe.closing]
        total, distance = losses.total(weight), torch.zeros(())
        if self.recipe.imitation:
            assert batch.features is not None
            own = [adapt(level) for adapt, level in zip(self.adapters, features, strict=True)]
            levels = zip(own, batch.features, STRIDES, strict=True)
            distance = torch.stack(
                [imitation_loss(x, y, batch.targets, stride) for x, y, stride in levels]
            ).mean()
            total = total + self.recipe.imitation * distance
        self.optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        self.optimiser.step()
        self.done += 1
        self._average()
        return torch.stack([*losses, distance]).detach()

    @torch.no_grad()
    def _average(self) -> None:
        # The early average forgets faster, or the random start would stay in it.
        keep = min(self.recipe.average, self.done / (self.done + 10))
        for slow, fast in zip(
            self.averaged.state_dict().values(), self.net.state_dict().values(), strict=True
        ):
            if slow.is_floating_point():
                slow.lerp_(fast, 1 - keep)


def same_so_far(first: Recipe, second: Recipe, done: int) -> bool:
    """Whether two recipes are equal or differ only in what happens after `done` steps."""
    past = [
        [(recipe.rate_at(step), step >= recipe.closing) for step in range(done)]
        for recipe in (first, second)
    ]
    first, second = (replace(r, steps=0, decay=0.0, closing=0) for r in (first, second))
    return past[0] == past[1] and first == second


def train(run: Run, batches: CanvasBatches, checkpoint: Path, every: int = 200) -> None:
    """Train `run` to the end of its recipe; save every `every` steps; log losses to stderr."""
    loader = DataLoader(
        batches,
        batch_size=None,
        sampler=range(run.done, run.recipe.steps),
        num_workers=1,
        prefetch_factor=4,
    )
    sums, start = torch.zeros(4), time.monotonic()
    for batch in loader:
        sums += run.step(batch)
        if run.done % 50 == 0:
            score, box, landmark, imitation = (sums / 50).tolist()
            elapsed = time.monotonic() - start
            print(
                f"step {run.done}/{run.recipe.steps} score {score:.4f} box {box:.4f} "
                f"landmark {landmark:.4f} imitation {imitation:.4f} {elapsed:.0f} s",
                file=sys.stderr,
                flush=True,
            )
            sums.zero_()
        if run.done % every == 0 or run.done == run.recipe.steps:
            run.save(checkpoint)


def main() -> None:
    """Train, or continue, the detector from photos and their labels."""
    parser = argparse.ArgumentParser(
        description=main.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--labels", type=Path, required=True, help="what `labels` wrote")
    parser.add_argument("--checkpoint", type=Path, required=True, help="continued if it exists")
    parser.add_argument("--phase", type=int, choices=PHASES, default=1, help="of the recipe")
    parser.add_argument("--start", type=Path, help="checkpoint of the phase before")
    parser.add_argument("--memory", type=Path, help="what `remember` wrote, for phases 4 and 6")
    parser.add_argument("--crops", type=Path, help="what `remember` got, for phase 6")
    parser.add_argument("--hard", type=Path, help="what `mine` wrote, for phase 5")
    parser.add_argument("--steps", type=int, help="batches to train on, if not the phase's own")
    parser.add_argument("--seed", type=int, default=Recipe.seed, help="of weights and canvases")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the network")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    if (options.phase > 1) != (options.start is not None):
        parser.error("phase 1 has no --start, the others need it")
    recipe = PHASES[options.phase]
    if (recipe.imitation > 0) != (options.memory is not None):
        parser.error("phases 4 and 6 need --memory, the others have none")
    if ("mined" in recipe.styles) != (options.hard is not None):
        parser.error("phase 5 needs --hard, the others have none")
    if any(STYLES[name].pasted for name in recipe.styles) != (options.crops is not None):
        parser.error("phase 6 needs --crops, the others have none")
    run = Run(replace(recipe, steps=options.steps or recipe.steps, seed=options.seed))
    options.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if options.checkpoint.exists():
        run.load(options.checkpoint)
    elif options.start:
        run.start_from(options.start)
    names = split_photos(photo_names(options.photos)).training
    hard = options.hard.read_text().split() if options.hard else []
    labels = load_labels(options.labels)
    sources = load_sources(options.photos, names, labels, hard, options.crops)
    early, late = (STYLES[name] for name in recipe.styles)
    memory = TeacherMemory(options.memory) if options.memory else None
    batches = CanvasBatches(sources, options.seed, (early, late), recipe.closing, memory=memory)
    train(run, batches, options.checkpoint)


if __name__ == "__main__":
    main()
