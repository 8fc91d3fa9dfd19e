import numpy as np
import pytest
from numpy.typing import NDArray

from fiqa_cli.training.labels import (
    centres_of_best,
    class_centres,
    impostor_threshold,
    min_max,
    quality_labels,
    stability_labels,
)

IDENTITIES, EACH, WIDTH = 12, 10, 64


@pytest.fixture(scope="module")
def identities() -> NDArray[np.int64]:
    return np.repeat(np.arange(IDENTITIES), EACH)


@pytest.fixture(scope="module")
def directions() -> NDArray[np.float32]:
    return np.linalg.qr(np.random.default_rng(0).normal(size=(WIDTH, WIDTH)))[0].astype(np.float32)


@pytest.fixture(scope="module")
def clean(directions: NDArray[np.float32], identities: NDArray[np.int64]) -> NDArray[np.float32]:
    """Embeddings about one axis per identity, of lengths that must not matter."""
    rng = np.random.default_rng(1)
    noise = 0.04 * rng.normal(size=(len(identities), WIDTH))
    lengths = rng.uniform(1, 30, (len(identities), 1))
    return ((directions[identities] + noise) * lengths).astype(np.float32)


def test_a_wrong_face_does_not_move_the_centre(
    clean: NDArray[np.float32],
    identities: NDArray[np.int64],
    directions: NDArray[np.float32],
) -> None:
    spoiled = clean.copy()
    spoiled[0] = 30 * directions[IDENTITIES]  # of nobody in the set
    centres = class_centres(spoiled, identities)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1, rtol=1e-5)
    assert ((centres * directions[:IDENTITIES]).sum(1) > 0.95).all()


def test_the_threshold_is_reached_by_the_asked_share_of_strangers(
    clean: NDArray[np.float32], identities: NDArray[np.int64]
) -> None:
    centres = class_centres(clean, identities)
    threshold = impostor_threshold(clean, identities, centres, false_match_rate=0.05)
    unit = clean / np.linalg.norm(clean, axis=1, keepdims=True)
    hits = [
        float(unit[row] @ centres[other]) > threshold
        for row in range(len(clean))
        for other in range(IDENTITIES)
        if other != identities[row]
    ]
    assert np.mean(hits) == pytest.approx(0.05, abs=0.002)


def test_labels_follow_the_formula_on_known_angles() -> None:
    def at(degrees: float) -> NDArray[np.float32]:
        radians = np.deg2rad(degrees)
        return np.array([[np.cos(radians), np.sin(radians)]], np.float32)

    label = quality_labels(clean=at(0) * 7, degraded=at(60) * 3, centres=at(-30), epsilon=0.5)
    # Copy to crop 60 degrees, copy to centre 90 degrees.
    assert label[0] == pytest.approx(0.5 - 0.5 * (1 - 0))


def test_min_max_clips_beyond_its_ends() -> None:
    scaled = min_max(np.array([-2, 0, 1, 2, 9], np.float32), low=0, high=2)
    np.testing.assert_allclose(scaled, [0, 0, 0.5, 1, 1])


def test_stability_labels_fall_with_the_turn_and_leave_strangers_out(
    clean: NDArray[np.float32],
    identities: NDArray[np.int64],
    directions: NDArray[np.float32],
) -> None:
    stranger = 3
    crops = clean / np.linalg.norm(clean, axis=1, keepdims=True)
    crops[stranger] = directions[IDENTITIES]
    away = directions[IDENTITIES + 1]
    pictures = np.stack([crops, crops + 0.5 * away, crops + 3 * away], axis=1)
    labels, kept = stability_labels(pictures, identities)
    assert labels.min() >= 0
    assert labels.max() <= 1
    assert (np.diff(labels[identities != 0], axis=1) < 0).all()
    assert not kept[stranger].any()
    assert kept.sum() == 3 * (len(clean) - 1)


def test_centres_are_means_of_the_best_and_need_enough_of_them() -> None:
    embeddings = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    identities = np.repeat((0, 1, 2), 4)
    quality = np.array([9, 8, 7, 1, 6, 5, 0, 0, 4, 3, 2, 2.5], np.float32)
    # The best half are those from the seventh value of falling order on: 3 and more.
    centres, enough = centres_of_best(embeddings, identities, quality, 4, best=0.5, fewest=2)
    assert enough.tolist() == [True, True, True, False]
    np.testing.assert_allclose(centres[0], embeddings[:3].mean(0), rtol=1e-6)
    np.testing.assert_allclose(centres[1], embeddings[4:6].mean(0), rtol=1e-6)
    np.testing.assert_allclose(centres[2], embeddings[8:10].mean(0), rtol=1e-6)
    _, enough = centres_of_best(embeddings, identities, quality, 4, best=0.5, fewest=3)
    assert enough.tolist() == [True, False, False, False]
    _, enough = centres_of_best(embeddings, identities, quality, 4, best=1.0, fewest=4)
    assert enough.tolist() == [True, True, True, False]
