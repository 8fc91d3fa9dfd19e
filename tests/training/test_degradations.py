import numpy as np
import pytest
from numpy.typing import NDArray

from fiqa_cli.training.degradations import DEGRADATIONS, degrade


@pytest.fixture(scope="module")
def crop() -> NDArray[np.uint8]:
    """Slow waves, so that a shift counts, under fine grain, so that a blur does."""
    y, x = np.mgrid[0:112, 0:112] / 112
    waves = [np.sin(np.pi * (k * x + (1.5 - k) * y)) for k in (0.3, 0.8, 1.2)]
    grain = np.random.default_rng(0).normal(size=(112, 112, 3))
    return np.clip(127.5 + 80 * np.stack(waves, -1) + 15 * grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_every_kind_keeps_the_form_of_a_crop_and_the_crop_itself(
    kind: str, crop: NDArray[np.uint8]
) -> None:
    before = crop.copy()
    for strength in (0.0, 0.5, 1.0):
        copy = DEGRADATIONS[kind](crop, strength, np.random.default_rng(3))
        assert copy.shape == (112, 112, 3)
        assert copy.dtype == np.uint8
    np.testing.assert_array_equal(crop, before)


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_stronger_is_farther_from_the_crop(kind: str, crop: NDArray[np.uint8]) -> None:
    def distance(strength: float) -> float:
        copies = [
            DEGRADATIONS[kind](crop, strength, np.random.default_rng(seed)) for seed in range(12)
        ]
        return float(np.mean([np.abs(copy - crop.astype(float)).mean() for copy in copies]))

    assert distance(0.0) < distance(0.33) < distance(0.66)


def test_a_copy_depends_on_seed_and_index_only(crop: NDArray[np.uint8]) -> None:
    first, kind, strength = degrade(crop, seed=5, index=9)
    np.random.default_rng().random()  # other draws in between change nothing
    again, kind_again, strength_again = degrade(crop, seed=5, index=9)
    np.testing.assert_array_equal(first, again)
    assert (kind, strength) == (kind_again, strength_again)
    others = {degrade(crop, seed=5, index=index)[2] for index in range(20)}
    others |= {degrade(crop, seed=6, index=index)[2] for index in range(20)}
    assert len(others) == 40


def test_all_kinds_are_drawn(crop: NDArray[np.uint8]) -> None:
    assert {degrade(crop, 1, index)[1] for index in range(200)} == set(DEGRADATIONS)
