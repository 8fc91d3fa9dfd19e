"""From prospects to rows."""

import numpy as np
import pytest
import torch

from fiqa_cli.measures.vector import MEASURES
from fiqa_cli.methods.method import Scores
from fiqa_cli.pipeline.prospect import Prospect
from fiqa_cli.pipeline.score import score
from fiqa_cli.records.row import Row
from pipeline.fakes import Brightness


def prospects() -> list[Prospect]:
    grey = np.full((112, 112, 3), 51, np.uint8)
    return [Prospect(Row("a"), grey), Prospect(Row("b", status="no-face"))]


def test_only_what_has_a_crop_is_scored() -> None:
    method = Brightness()
    one, other = score(prospects(), method)
    assert (one.quality, one.model) == (pytest.approx(0.2), "brightness")
    assert (other.quality, other.status, other.model) == (None, "no-face", "brightness")
    assert method.batches == [1]
    assert [row.status for row in score(prospects()[1:], method)] == ["no-face"]
    assert method.batches == [1]


def test_measures_and_components_are_left_out_unless_asked_for() -> None:
    assert next(score(prospects(), Brightness())).details == {}
    details = next(score(prospects(), Brightness(), details=True)).details
    assert list(details) == [*MEASURES, "red"]
    assert (details["red"], details["luminance"]) == (pytest.approx(0.2), 51)


def test_a_component_of_the_name_of_a_measure_is_the_method_s() -> None:
    class Light(Brightness):
        def score(self, crops: torch.Tensor) -> Scores:
            found = super().score(crops)
            return Scores(found.quality, {"luminance": found.quality})

    details = next(score(prospects(), Light(), details=True)).details
    assert details["luminance"] == pytest.approx(0.2)


def test_a_quality_that_is_no_number_is_a_failed_row() -> None:
    class Overflow(Brightness):
        def score(self, crops: torch.Tensor) -> Scores:
            return Scores(torch.full((len(crops),), float("nan")))

    row = next(score(prospects(), Overflow()))
    assert (row.status, row.quality) == ("failed", None)
    assert "fp32" in row.error
