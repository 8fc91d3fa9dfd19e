"""Labels of how similar an image can be expected to be to others of its identity.

How similar it is to those that happen to be there is a noisy label: it depends on them, too, and
a wrong face among them has none at all. Its expectation, given what the recogniser sees of the
image alone (`inner_features.py`), is a smooth one, and a ridge regression estimates it.
"""

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.training.embeddings import normalised

FOLDS = 5
PENALTIES = (0.05, 0.15, 0.5, 1.5)
"""Ridge penalties to choose from, in parts of the sum of the weights."""
CLIP = 6.0
"""Deviations from the mean at most that a feature counts."""


def genuine_similarity(
    embeddings: NDArray[np.float32], identities: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Median cosine of each picture to the clean crops of its identity, without its own.

    Takes pictures embedded as `[N, 1 + copies, D]`, column 0 clean, and identity numbers `[N]`;
    returns `[N, 1 + copies]`, not a number where an identity has a single crop.
    """
    unit = normalised(embeddings)
    found = np.full(embeddings.shape[:2], np.nan, np.float32)
    for identity in np.unique(identities):
        own = np.flatnonzero(identities == identity)
        if len(own) < 2:
            continue
        cosines = np.einsum("ncd,md->ncm", unit[own], unit[own, 0])
        cosines[np.arange(len(own)), :, np.arange(len(own))] = np.nan
        found[own] = np.nanmedian(cosines, axis=2)
    return found


def expected(
    features: NDArray[np.float32],
    targets: NDArray[np.float32],
    weights: NDArray[np.float32],
    groups: NDArray[np.int64],
    seed: int,
) -> tuple[NDArray[np.float32], float]:
    """Expectation of `targets` `[P]` given `features` `[P, F]`, by cross-fitted ridge regression.

    A row's own group, of `groups` `[P]`, has no part in the regression that gives its value, nor
    have rows of weight 0. The penalty is the one of `PENALTIES` that predicts other groups best.
    Returns the expectations `[P]` and the weighted correlation with the targets.
    """
    used = weights > 0
    mean = features[used].mean(0)
    deviation = np.maximum(features[used].std(0), 1e-6)
    rows = np.clip((features - mean) / deviation, -CLIP, CLIP)
    centre = float(np.average(targets[used], weights=weights[used]))
    wanted = np.where(used, targets - centre, 0).astype(np.float32)
    draws = np.random.default_rng(seed).permutation(int(groups.max()) + 1)
    folds = (draws % FOLDS)[groups]
    gram, moment = [], []
    for fold in range(FOLDS):
        part = rows[(folds == fold) & used]
        scaled = part * weights[(folds == fold) & used, None]
        gram.append((scaled.T @ part).astype(np.float64))
        moment.append((scaled.T @ wanted[(folds == fold) & used]).astype(np.float64))
    total, target = sum(gram), sum(moment)
    best, chosen = np.inf, np.zeros(len(rows), np.float32)
    for penalty in PENALTIES:
        ridge = penalty * float(weights.sum()) * np.eye(rows.shape[1])
        found = np.zeros(len(rows), np.float32)
        for fold in range(FOLDS):
            slopes = np.linalg.solve(total - gram[fold] + ridge, target - moment[fold])
            found[folds == fold] = rows[folds == fold] @ slopes.astype(np.float32)
        error = float(np.average((found - wanted)[used] ** 2, weights=weights[used]))
        if error < best:
            best, chosen = error, found
    spread = np.cov(chosen[used], wanted[used], aweights=weights[used])
    correlation = float(spread[0, 1] / np.sqrt(spread[0, 0] * spread[1, 1]))
    return chosen + np.float32(centre), correlation
