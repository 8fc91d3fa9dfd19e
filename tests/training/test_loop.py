import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.checkpoint import resume
from fiqa_cli.training.loop import Terms, run
from fiqa_cli.training.schedule import Schedule

SCHEDULE = Schedule(steps=7, batch=1, warm_up=2)


class Interruption(Exception):
    """Stands for a kill between two steps."""


def fit(out: Path, schedule: Schedule = SCHEDULE, until: float = math.inf) -> nn.Module:
    """Train one weight, which begins at 0, towards the number of the step."""
    student = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(student.weight)

    def loss(step: int) -> tuple[Tensor, Terms]:
        if step >= until:
            raise Interruption
        error = (student(torch.ones(1, 1)) - step).square().mean()
        return error, {"loss": error.item()}

    run(student, torch.optim.Adam(student.parameters(), 0.1), schedule, loss, out, every=2)
    return student


def state(out: Path) -> dict[str, dict[str, Tensor]]:
    loaded: dict[str, dict[str, Tensor]] = torch.load(out / "checkpoint.pt", weights_only=True)
    return loaded


@pytest.mark.parametrize("until", [1, 4, 5])
def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(tmp_path: Path, until: int) -> None:
    fit(tmp_path / "whole")
    with pytest.raises(Interruption):
        fit(tmp_path / "cut", until=until)
    fit(tmp_path / "cut")
    whole, cut = state(tmp_path / "whole"), state(tmp_path / "cut")
    for part in ("student", "average"):
        assert torch.equal(whole[part]["weight"], cut[part]["weight"])
    assert not torch.equal(whole["student"]["weight"], whole["average"]["weight"])


def test_another_schedule_does_not_go_on(tmp_path: Path) -> None:
    fit(tmp_path)
    with pytest.raises(FiqaError, match="schedule"):
        resume(tmp_path / "checkpoint.pt", {}, replace(SCHEDULE, steps=9))


def test_the_log_tells_the_loss_and_what_the_monitor_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    student = nn.Linear(1, 1)
    run(
        student,
        torch.optim.SGD(student.parameters(), 0.0),
        Schedule(steps=3, batch=1),
        lambda step: (student(torch.ones(1, 1)).sum(), {"loss": step / 4}),
        tmp_path,
        every=2,
        monitor=lambda average: {"held out": 7.0},
    )
    out, err = capsys.readouterr()
    first, last = err.splitlines()
    assert out == ""
    assert first.startswith("step 2/3  loss 0.2500  held out 7.0000  ")
    assert last.startswith("step 3/3  loss 0.5000  held out 7.0000  ")


@pytest.mark.parametrize(("clip", "moved"), [(math.inf, 3.0), (0.5, 0.5)])
def test_long_gradients_are_shortened(tmp_path: Path, clip: float, moved: float) -> None:
    student = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(student.weight)
    optimiser = torch.optim.SGD(student.parameters(), 1.0)
    run(
        student,
        optimiser,
        Schedule(steps=1, batch=1, warm_up=1),
        lambda step: (student(torch.full((1, 1), 3.0)).sum(), {}),
        tmp_path,
        every=1,
        clip=clip,
    )
    assert student.weight.item() == pytest.approx(-moved, rel=1e-5)


def test_rates_rise_then_fall_to_nothing() -> None:
    schedule = Schedule(steps=100, batch=1, warm_up=10)
    factors = [schedule.factor(step) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[:9] == sorted(factors[:9])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[50] == pytest.approx(0.5)
    assert factors[99] < 1e-3
