import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.detector.evaluate import Agreement, operating_point
from fiqa_cli.training.detector.recipe import DetectorRecipe


def recipe(**changes: object) -> DetectorRecipe:
    return DetectorRecipe(**{"photos": "p", "teacher": "t", **changes})  # type: ignore[arg-type]


def test_a_quarter_of_the_steps_is_for_the_parts_alone_if_the_teacher_shows_any() -> None:
    course = recipe(steps=400, seed=3).course(has_parts=True)
    assert (course.steps, course.alone, course.seed) == (400, 100, 3)
    assert recipe(steps=400).course(has_parts=False).alone == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"held_out": 0.7, "monitored": 0.3}, "below 1 together"),
        ({"steps": 0}, "--batch and --steps are above 0"),
        ({"batch": 0}, "--batch and --steps are above 0"),
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
