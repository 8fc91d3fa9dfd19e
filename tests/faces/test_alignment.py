"""Alignment against insightface's own estimate of the similarity (scikit-image) and crop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from insightface.utils.face_align import estimate_norm, norm_crop

from fiqa_cli.faces.alignment import TEMPLATE, align, similarity


@pytest.mark.filterwarnings("ignore::FutureWarning")
@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(-3.1, 3.1), st.floats(0.1, 20), st.floats(-500, 500))
def test_similarity_is_the_least_squares_one(
    seed: int, angle: float, scale: float, shift: float
) -> None:
    noise = np.random.default_rng(seed).normal(0, 2, (5, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (TEMPLATE + noise) @ turn.T * scale + shift
    reference = estimate_norm(landmarks)
    # insightface keeps its template in float32.
    np.testing.assert_allclose(similarity(landmarks), reference, rtol=1e-5, atol=1e-4)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_crop_is_the_one_insightface_makes() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    landmarks = (TEMPLATE * 1.7 + rng.normal(0, 3, (5, 2)) + [90, 40]).astype(np.float32)
    difference = align(image, landmarks).astype(int) - norm_crop(image, landmarks)
    # The two matrices differ in their last digits, and OpenCV rounds them to 1/32 pixel.
    assert (difference != 0).mean() < 0.01


def test_landmarks_on_the_template_give_the_image_itself() -> None:
    image = np.random.default_rng(1).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    np.testing.assert_array_equal(align(image, TEMPLATE), image)


@pytest.mark.parametrize("value", [np.nan, np.inf, 7.0])
def test_impossible_landmarks_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="landmarks"):
        similarity(np.full((5, 2), value))
