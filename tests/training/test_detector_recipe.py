import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.detector.evaluate import Agreement, operating_point
from fiqa_cli.training.detector.phases import PHASES, POOLS
from fiqa_cli.training.detector.recipe import DetectorRecipe


def recipe(**changes: object) -> DetectorRecipe:
    return DetectorRecipe(**{"photos": "p", "teacher": "t", "crops": "c", **changes})  # type: ignore[arg-type]


def test_without_steps_the_phases_are_those_of_scrfd_n() -> None:
    plan = list(recipe(phases=11).plan())
    assert {number: phase for number, phase, _ in plan} == PHASES
    assert {number: pool for number, _, pool in plan if pool} == POOLS
    assert sum(phase.steps for _, phase, _ in plan) == 62_500


def test_steps_are_shared_out_and_the_course_of_a_phase_is_kept() -> None:
    plan = {number: (phase, pool) for number, phase, pool in recipe(phases=7, steps=284).plan()}
    assert sum(phase.steps for phase, _ in plan.values()) == 284
    first, _ = plan[1]
    assert (first.steps, first.closing, first.warmup) == (84, 28, 2)
    assert (plan[4][1], plan[6][1], plan[5][1]) == (20, 18, 0)
    assert all(phase.steps >= 1 for _, phase, _ in recipe(phases=3, steps=3).plan())


def test_more_steps_need_no_longer_warm_up_and_no_larger_memory() -> None:
    number, phase, pool = list(recipe(phases=4, steps=41_400).plan())[3]
    assert (number, phase.steps, phase.warmup, pool) == (4, 15_000, 200, 2000)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"phases": 12}, "--phases is one of 1 to 11"),
        ({"phases": 6, "crops": ""}, "--crops"),
        ({"held_out": 0.7, "monitored": 0.3}, "below 1 together"),
        ({"phases": 3, "steps": 2}, "does not reach for 3 phases"),
        ({"batch": 0}, "--batch is above 0"),
    ],
)
def test_what_cannot_be_is_said(changes: dict[str, object], told: str) -> None:
    with pytest.raises(FiqaError, match=told):
        recipe(**changes)


def found(threshold: float, false: float) -> Agreement:
    return Agreement(threshold, 10, 10, 1.0, 1.0, false, false, 0.0, 0.0)


def test_the_operating_point_is_the_least_threshold_with_few_false_boxes() -> None:
    curve = [found(0.3, 0.4), found(0.4, 0.05), found(0.5, 0.0)]
    assert operating_point(curve, 0.05) == 0.4
    assert operating_point(curve, 1.0) == 0.3
    assert operating_point(curve[:1], 0.05) == 0.3
