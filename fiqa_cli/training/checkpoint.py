"""Checkpoints of a training run: whole or absent, and bound to one recipe."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from fiqa_cli.errors import FiqaError


def save(checkpoint: Path, parts: Mapping[str, Any], recipe: Mapping[str, Any], step: int) -> None:
    """Write a checkpoint; an interruption leaves the one before.

    `parts` have a `state_dict`; `recipe` is what decides the weights, as JSON has it.
    """
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    state = {name: part.state_dict() for name, part in parts.items()}
    rng = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}
    partial = checkpoint.with_suffix(".partial")
    torch.save({**state, "rng": rng, "recipe": json.dumps(recipe), "step": step}, partial)
    partial.replace(checkpoint)


def resume(checkpoint: Path, parts: Mapping[str, Any], recipe: Mapping[str, Any]) -> int:
    """Load a checkpoint, if there is one, into `parts`; returns the step to go on with.

    Raises `FiqaError` if it was made by another recipe.
    """
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    before, now = json.loads(state["recipe"]), json.loads(json.dumps(recipe))
    if before != now:
        changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        raise FiqaError(
            f"{checkpoint.parent} holds a run with another {' and '.join(sorted(changed))}: "
            "give the same to go on with it, or another --output"
        )
    for name, part in parts.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(state["rng"]["cpu"])
    if len(state["rng"]["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["rng"]["cuda"])
    return int(state["step"])
