"""Checkpoints of a training run: whole or absent, and bound to one schedule."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.schedule import Schedule


def save(checkpoint: Path, parts: dict[str, Any], schedule: Schedule, step: int) -> None:
    """Write a checkpoint; an interruption leaves the one before."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    state = {name: part.state_dict() for name, part in parts.items()}
    partial = checkpoint.with_suffix(".partial")
    torch.save({**state, "schedule": asdict(schedule), "step": step}, partial)
    partial.replace(checkpoint)


def resume(checkpoint: Path, parts: dict[str, Any], schedule: Schedule) -> int:
    """Load a checkpoint, if there is one, into `parts`; returns the step to go on with.

    Raises `FiqaError` if it was made by another schedule.
    """
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if state["schedule"] != asdict(schedule):
        raise FiqaError(f"{checkpoint}: made by another schedule; give the same, or another --out")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["step"])
