import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.precision import Precision
from fiqa_cli.training.batches import Batch
from fiqa_cli.training.loop import Objective, Report, Task, Terms, run
from fiqa_cli.training.parallel import THIS
from fiqa_cli.training.plan import Architecture, Plan
from fiqa_cli.training.schedule import Decay, Schedule
from training.interruption import assert_resumes, complete

SCHEDULE = Schedule(steps=7, batch=2, warm_up=2, average=0.998, decay=Decay.COSINE)


class Fit(Objective):
    """Squared distance of the output to given targets."""

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.student = student

    def forward(self, x: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        error = (self.student(x).float().flatten() - target).square().mean()
        return error, {"root": error.sqrt()}


def by_step(batch: Batch) -> tuple[Tensor, ...]:
    count = len(batch.numbers)
    return torch.ones(count, 1), torch.full((count,), float(batch.step))


def one_weight() -> nn.Linear:
    student = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(student.weight)
    return student


def plan(
    schedule: Schedule = SCHEDULE,
    rate: float = 0.1,
    tensors: Callable[[Batch], tuple[Tensor, ...]] = by_step,
    **task: object,
) -> Plan:
    student = one_weight()
    optimiser = torch.optim.SGD(student.parameters(), rate, momentum=0.5)
    made = Task(Fit(student), optimiser, np.arange(10), tensors, **task)  # type: ignore[arg-type]
    return Plan(made, schedule, Architecture("", "", {}), {}, "")


@pytest.mark.parametrize("until", [1, 4, 5])
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(
    tmp_path: Path, until: int, average: float
) -> None:
    assert_resumes(lambda: plan(replace(SCHEDULE, average=average)), tmp_path, until)


def test_torch_s_random_numbers_go_on_too(tmp_path: Path) -> None:
    def noisy(batch: Batch) -> tuple[Tensor, ...]:
        return by_step(batch)

    class Noisy(Fit):
        def forward(self, x: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            return super().forward(x, target + torch.randn(len(target)))

    def make() -> Plan:
        torch.manual_seed(3)
        made = plan(tensors=noisy)
        made.task.objective = Noisy(made.task.objective.student)
        return made

    assert_resumes(make, tmp_path, until=4)


def test_another_recipe_does_not_go_on(tmp_path: Path) -> None:
    made = plan()
    run(made.task, made.schedule, {"rate": 1, "seed": 1}, tmp_path, THIS, 2)
    with pytest.raises(FiqaError, match="another rate: give the same"):
        run(made.task, made.schedule, {"rate": 2, "seed": 1}, tmp_path, THIS, 2)


def test_reports_tell_means_and_what_the_monitor_says(tmp_path: Path) -> None:
    reports: list[Report] = []
    made = plan(Schedule(steps=3, batch=2), rate=0.0, monitor=lambda kept: {"held out": 7.0})
    run(made.task, made.schedule, {}, tmp_path, THIS, 2, [reports.append])
    assert [(each.step, each.steps) for each in reports] == [(2, 3), (3, 3)]
    assert reports[0].terms == {"loss": 0.5, "root": 0.5, "held out": 7.0}
    assert reports[1].terms == {"loss": 4.0, "root": 2.0, "held out": 7.0}
    assert all(each.is_checkpoint for each in reports)
    assert reports[1].left == 0


@pytest.mark.parametrize(("clip", "moved"), [(0.0, 6.0), (0.5, 0.5)])
def test_long_gradients_are_shortened(tmp_path: Path, clip: float, moved: float) -> None:
    def three(batch: Batch) -> tuple[Tensor, ...]:
        return torch.ones(2, 1), torch.full((2,), 3.0)

    kept = complete(plan(Schedule(steps=1, batch=2, clip=clip), 1.0, three), tmp_path)
    assert kept["weight"].item() == pytest.approx(moved, rel=1e-5)


def test_a_batch_in_parts_trains_like_a_whole_one(tmp_path: Path) -> None:
    def uneven(batch: Batch) -> tuple[Tensor, ...]:
        return torch.arange(8.0)[:, None], torch.arange(8.0) + batch.step

    schedule = Schedule(steps=3, batch=8)
    whole = complete(plan(schedule, 1e-3, uneven), tmp_path / "whole")
    parts = complete(plan(replace(schedule, accumulate=4), 1e-3, uneven), tmp_path / "parts")
    torch.testing.assert_close(parts, whole)
    with pytest.raises(FiqaError, match="cannot be split evenly"):
        complete(plan(replace(schedule, accumulate=3), 1e-3, uneven), tmp_path / "odd")


def test_the_weights_of_the_lowest_term_are_kept_also_after_a_stop(tmp_path: Path) -> None:
    def make() -> Plan:
        # The distance to 1 falls while the weight rises from 0, and rises from then on.
        def monitor(kept: nn.Module) -> Terms:
            return {"validation": (next(kept.parameters()) - 1).abs().item()}

        return plan(Schedule(steps=9, batch=2), 0.05, monitor=monitor, lowest="validation")

    kept = assert_resumes(make, tmp_path, until=8)
    last = torch.load(tmp_path / "cut" / "checkpoint.pt", weights_only=True)["student"]["weight"]
    assert abs(kept["weight"].item() - 1) < 0.25
    assert last.item() > 1.5


def test_frozen_weights_thaw_at_their_step(tmp_path: Path) -> None:
    for thaw, until in ((2, 2), (None, 3)):
        student = one_weight()
        task = Task(
            Fit(student),
            torch.optim.SGD([*student.parameters(), torch.zeros(1, requires_grad=True)], 0.1),
            np.arange(10),
            lambda batch: (torch.ones(2, 1, requires_grad=True), torch.ones(2)),
            frozen=list(student.parameters()),
            thaw=thaw,
        )
        schedule = Schedule(steps=until, batch=2)
        run(task, schedule, {}, tmp_path / str(thaw), THIS, 1)
        assert student.weight.item() == 0
        longer = replace(schedule, steps=3)
        run(task, longer, {}, tmp_path / str(thaw), THIS, 1)
        assert (student.weight.item() != 0) == (thaw is not None)


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(FiqaError, match="not finite at step"):
        complete(plan(Schedule(steps=9, batch=2), 1e30), tmp_path)


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16, Precision.FP16])
def test_weights_stay_in_fp32_at_any_precision(tmp_path: Path, precision: Precision) -> None:
    seen: list[torch.dtype] = []
    made = plan(Schedule(steps=3, batch=2, precision=precision))
    made.task.objective.student.register_forward_hook(lambda m, x, y: seen.append(y.dtype))
    kept = complete(made, tmp_path)
    assert kept["weight"].dtype == torch.float32
    expected = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    assert seen[0] == expected[precision]


def test_rates_rise_then_fall_to_nothing() -> None:
    schedule = Schedule(steps=100, batch=1, warm_up=10, decay=Decay.COSINE)
    factors = [schedule.factor(step) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[:9] == sorted(factors[:9])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[50] == pytest.approx(0.5)
    assert factors[99] < 1e-3
    assert Schedule(steps=100, batch=1).factor(99) == 1


def test_epochs_become_steps() -> None:
    assert Schedule(epochs=1.5, batch=4).over(10).steps == 3
    assert Schedule(epochs=9, steps=5, batch=4).over(10).steps == 5
    with pytest.raises(FiqaError, match="average"):
        Schedule(batch=1, average=1.0)
    assert math.isclose(SCHEDULE.average_decay(0), 0.1)
