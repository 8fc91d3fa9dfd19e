"""The quality vector sees what is wrong with a face: the right measure follows each degradation."""

from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from fiqa_cli.faces.detector import Detector
from fiqa_cli.pipeline.scorer import ScoreOptions, Scorer
from fiqa_cli.sources.listing import Entry

LEAST = 0.8


def assert_agreement(agreements: list[object], count: int) -> None:
    assert len(agreements) == count
    poor = [each for each in agreements if each.within < LEAST]  # type: ignore[attr-defined]
    assert not poor


def test_crops(benchmark: ModuleType, crops: list[NDArray[np.uint8]]) -> None:
    assert len(crops) == 7
    assert_agreement(list(benchmark.crop_agreements(crops)), len(benchmark.CROP_MEASURES))


def test_photos(benchmark: ModuleType, crops: list[NDArray[np.uint8]], detector: Detector) -> None:
    assert_agreement(list(benchmark.photo_agreements(crops[:2], detector.detect)), 2)


def test_turned_heads(benchmark: ModuleType) -> None:
    assert_agreement(list(benchmark.pose_agreements(20)), 2)


def test_a_measure_that_stays_the_same_agrees_with_nothing(benchmark: ModuleType) -> None:
    strengths = np.linspace(0, 1, benchmark.STEPS)
    flat = benchmark.agreement("", "", strengths, np.ones((2, benchmark.STEPS)), benchmark.RISES)
    assert flat.within == 0


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_in_a_report(samples: dict[str, str]) -> None:
    """Worse and worse copies of a photo, scored with details."""
    scorer = Scorer(ScoreOptions(model="sharpness", details=True, faces="largest"))
    rows = {row.path: row for row in scorer.score(Entry(path) for path in samples.values())}
    for kind, name, direction in (
        ("blurred", "sharpness", -1),
        ("small", "sharpness", -1),
        ("noisy", "noise", 1),
        ("dark", "luminance", -1),
        ("dark", "contrast", -1),
    ):
        names = ["astronaut", *(f"astronaut-{kind}-{grade}" for grade in range(1, 5))]
        series = [rows[samples[name]] for name in names]
        values = [row.details[name] for row in series]
        assert all(direction * (b - a) > 0 for a, b in pairwise(values)), (kind, values)
    upright = rows[samples["astronaut"]]
    assert upright.details["sharpness"] == pytest.approx(upright.quality)
    assert abs(upright.details["yaw"]) < 10
    assert abs(upright.details["roll"]) < 10
