"""A training from data to a model that can be used."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import torch

from fiqa_cli.methods.device import cores
from fiqa_cli.training import diffusion, distillation, recogniser
from fiqa_cli.training.card import model_card
from fiqa_cli.training.crops import open_crops
from fiqa_cli.training.diffusion import DiffusionRecipe
from fiqa_cli.training.distill_recipe import DistillRecipe
from fiqa_cli.training.export import export
from fiqa_cli.training.loop import Report, Weights, run
from fiqa_cli.training.parallel import processes
from fiqa_cli.training.pictures import Pictures
from fiqa_cli.training.plan import Plan
from fiqa_cli.training.recipe import to_toml
from fiqa_cli.training.recogniser import RecogniserRecipe
from fiqa_cli.zoo.registry import TRAINED

Recipe = DistillRecipe | RecogniserRecipe | DiffusionRecipe

EVERY = 200
"""Steps from one checkpoint to the next."""


def train(
    recipe: Recipe,
    out: Path,
    device: torch.device,
    *,
    workers: int | None = None,
    every: int = EVERY,
    half: bool = False,
    observers: Sequence[Callable[[Report], None]] = (),
    notify: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train by `recipe` in the folder `out`, or go on there; the weights file, ready to use.

    `out` also gets the recipe, the model card, a checkpoint and the embeddings that were computed.
    The first checkpoint comes after `every` steps; from then on there is a model to use. `workers`
    threads read and degrade images (default: one per core). Started by torchrun, all its processes
    share the work (`parallel`). `half` writes fp16.
    Raises `FiqaError` where recipe, data and models do not fit, or `out` holds another run.
    """
    file = out / TRAINED
    with processes(device) as mine, ThreadPoolExecutor(workers or cores(), "read") as pool:
        tell = notify if mine.is_first else lambda line: None
        out.mkdir(parents=True, exist_ok=True)
        crops = open_crops([Path(source).expanduser() for source in recipe.data])
        images = f"{len(crops):,} images of {len(crops.names):,} identities"
        tell(images)
        pictures = Pictures(crops, recipe.copies, recipe.seed, pool)
        plan = _prepare(recipe, pictures, out, mine, tell)

        def keep(weights: Weights, report: Report) -> None:
            metadata = {"name": out.resolve().name, "steps": str(report.step)}
            export(weights, plan.architecture, file, metadata, folded=plan.folded, half=half)
            text = to_toml(recipe)
            (out / "recipe.toml").write_text(text, encoding="utf-8")
            card = model_card(recipe.command, out, text, plan, report, images)
            (out / "README.md").write_text(card, encoding="utf-8")

        bound = _bound(recipe, plan)
        run(plan.task, plan.schedule, bound, out, mine, every, observers, keep)
    return file


def _prepare(recipe: Recipe, *rest: object) -> Plan:
    prepare = {
        DistillRecipe: distillation.prepare,
        RecogniserRecipe: recogniser.prepare,
        DiffusionRecipe: diffusion.prepare,
    }[type(recipe)]
    return prepare(recipe, *rest)  # type: ignore[operator, no-any-return]


def _bound(recipe: Recipe, plan: Plan) -> dict[str, object]:
    """What a checkpoint is bound to: places of files may change, what is in them may not."""
    settings = {
        name: value for name, value in asdict(recipe).items() if name not in ("data", "labels")
    }
    return {**settings, "data or labels": plan.data}
