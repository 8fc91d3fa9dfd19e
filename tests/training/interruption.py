"""Runs that are killed between two steps, and whether they end as if they never had been."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fiqa_cli.training.batches import Batch
from fiqa_cli.training.loop import run
from fiqa_cli.training.parallel import THIS
from fiqa_cli.training.plan import Plan


class Interruption(Exception):
    """Stands for a kill between two steps."""


def complete(plan: Plan, out: Path, every: int = 1, until: float = torch.inf) -> dict[str, Tensor]:
    """Run a plan in `out`; the weights to keep. It is killed at the step `until`."""

    def tensors(batch: Batch) -> tuple[Tensor, ...]:
        if batch.step >= until:
            raise Interruption
        return plan.task.tensors(batch)

    return run(replace(plan.task, tensors=tensors), plan.schedule, {}, out, THIS, every)


def assert_resumes(make: Callable[[], Plan], folder: Path, until: int) -> dict[str, Tensor]:
    """A run that is killed at `until` and started anew keeps the weights of one that was not."""
    whole = complete(make(), folder / "whole")
    with pytest.raises(Interruption):
        complete(make(), folder / "cut", until=until)
    cut = complete(make(), folder / "cut")
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    return whole
