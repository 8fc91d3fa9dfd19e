"""Expected similarity, against plain formulas and a solver of another kind."""

import numpy as np
import pytest

from fiqa_cli.training.expectation import CLIP, FOLDS, PENALTIES, expected, genuine_similarity
from fiqa_cli.training.labels import expected_labels


def test_genuine_similarity_is_the_median_to_the_other_clean_crops() -> None:
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(7, 2, 8)).astype(np.float32)
    identities = np.array([0, 0, 0, 0, 1, 1, 2])
    found = genuine_similarity(embeddings, identities)
    for row in range(6):
        others = [k for k in range(7) if identities[k] == identities[row] and k != row]
        for column in range(2):
            one = embeddings[row, column] / np.linalg.norm(embeddings[row, column])
            cosines = [one @ e / np.linalg.norm(e) for e in embeddings[others, 0]]
            assert found[row, column] == pytest.approx(np.median(cosines), abs=1e-6)
    assert np.isnan(found[6]).all()


def signal(rows: int = 600, noise: float = 0.3) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 60, rows)
    features = (rng.normal(size=(rows, 12)) * rng.uniform(0.1, 9, 12) + 3).astype(np.float32)
    truth = ((features - 3) @ rng.normal(size=12) / 20).astype(np.float32)
    noisy = truth + noise * rng.normal(size=rows)
    return features, truth, noisy.astype(np.float32), groups


def test_it_finds_the_signal_in_noise() -> None:
    features, truth, noisy, groups = signal()
    found, correlation = expected(features, noisy, np.ones(600, np.float32), groups, seed=1)
    assert np.corrcoef(found, truth)[0, 1] > 0.98
    assert np.corrcoef(found, truth)[0, 1] > np.corrcoef(noisy, truth)[0, 1]
    assert correlation == pytest.approx(np.corrcoef(found, noisy)[0, 1], abs=1e-4)


def test_a_group_has_no_part_in_its_own_values() -> None:
    features, _, noisy, groups = signal()
    weights = np.ones(600, np.float32)
    plain, _ = expected(features, noisy, weights, groups, seed=1)
    spoiled = noisy.copy()
    spoiled[groups == 7] += 0.2 * np.arange((groups == 7).sum(), dtype=np.float32)
    changed, _ = expected(features, spoiled, weights, groups, seed=1)
    own = groups == 7
    # The centre is the mean of all targets: a constant, which no order depends on.
    shift = np.average(spoiled) - np.average(noisy)
    folds = (np.random.default_rng(1).permutation(groups.max() + 1) % FOLDS)[groups]
    same = folds == folds[own][0]
    slopes = (changed - shift - plain)[same]
    np.testing.assert_allclose(slopes, 0, atol=0.02)
    assert np.abs((changed - shift - plain)[~same]).max() > 0.02


def test_it_is_ridge_regression() -> None:
    features, _, noisy, groups = signal()
    weights = np.random.default_rng(2).choice([0, 0.3, 1], 600).astype(np.float32)
    found, _ = expected(features, noisy, weights, groups, seed=3)
    used = weights > 0
    scaled = (features - features[used].mean(0)) / features[used].std(0)
    scaled = np.clip(scaled, -CLIP, CLIP)
    centre = np.average(noisy[used], weights=weights[used])
    folds = (np.random.default_rng(3).permutation(groups.max() + 1) % FOLDS)[groups]
    candidates = []
    for penalty in PENALTIES:
        values = np.empty(600)
        for fold in range(FOLDS):
            fit = used & (folds != fold)
            root = np.sqrt(weights[fit])
            # A ridge is least squares with a row for each feature that wants it to be 0.
            stiff = np.sqrt(penalty * weights.sum()) * np.eye(features.shape[1])
            left = np.vstack([scaled[fit] * root[:, None], stiff])
            right = np.concatenate([(noisy[fit] - centre) * root, np.zeros(features.shape[1])])
            slopes = np.linalg.lstsq(left, right, rcond=None)[0]
            values[folds == fold] = scaled[folds == fold] @ slopes + centre
        error = np.average((values - noisy)[used] ** 2, weights=weights[used])
        candidates.append((error, values))
    np.testing.assert_allclose(found, min(candidates, key=lambda each: each[0])[1], atol=1e-4)


def test_labels_of_wrong_faces_come_from_what_is_seen() -> None:
    rng = np.random.default_rng(4)
    identities = np.repeat(np.arange(30), 12)
    axes = np.linalg.qr(rng.normal(size=(64, 64)))[0].astype(np.float32)
    blur = rng.uniform(0, 1, (360, 2)).astype(np.float32)
    blur[:, 0] /= 2
    haze = rng.normal(size=(360, 2, 64)).astype(np.float32) / 8
    embeddings = axes[identities][:, None] + blur[..., None] * haze
    wrong = 5
    embeddings[wrong] = axes[40] + blur[wrong, :, None] * haze[wrong]
    features = np.stack([blur, rng.normal(size=(360, 2))], axis=2).astype(np.float32)
    labels, correlation = expected_labels(embeddings, features, identities, seed=1)
    assert labels.shape == (360, 2)
    assert labels.min() == 0
    assert labels.max() == 1
    assert correlation > 0.8
    assert np.corrcoef(labels.ravel(), blur.ravel())[0, 1] < -0.98
    # As sharp as others, the wrong face is worth as much.
    near = np.abs(blur[:, 0] - blur[wrong, 0]) < 0.03
    assert labels[wrong, 0] == pytest.approx(labels[near, 0].mean(), abs=0.1)
