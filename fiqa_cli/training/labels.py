"""Quality labels: their scale, the centres they are optimised with, and labels from embeddings.

The label optimisation of eDifFIQA (Babnik et al., TBIOM 2024) lowers a label by the distance of
the embedding to the centre of its class. Labels from embeddings alone have stability under
degradation in its place: stability - eps * (1 - cos(embedding, class centre)); or the similarity
to its identity that can be expected of an image.
"""

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.training.embeddings import cosine, normalised
from fiqa_cli.training.expectation import expected, genuine_similarity

BEST_FRACTION = 0.2
EPSILON = 0.5
FEWEST = 10
ENDS = (0.005, 0.995)
"""Quantiles of the raw labels that become 0 and 1."""
COPIES = 0.3
"""Weight of a crop's degraded copies, where expected similarity is estimated."""


def class_centres(
    embeddings: NDArray[np.float32], identities: NDArray[np.int64], best: float = BEST_FRACTION
) -> NDArray[np.float32]:
    """Centre of each identity: the mean direction of its most typical embeddings.

    Typical are the fraction `best` (at least three) with the highest median cosine to the other
    embeddings of the identity; the median keeps a wrong face or two from pulling the centre.
    Takes `[N, D]` and identity numbers `[N]`, returns unit rows `[identities, D]`.
    """
    unit = normalised(embeddings)
    centres = np.zeros((int(identities.max()) + 1, unit.shape[1]), np.float32)
    for identity in np.unique(identities):
        own = unit[identities == identity]
        typical = np.median(own @ own.T, axis=1)
        count = max(3, round(best * len(own)))
        centres[identity] = own[np.argsort(-typical)[:count]].mean(0)
    return normalised(centres)


def centres_of_best(
    embeddings: NDArray[np.float32],
    identities: NDArray[np.int64],
    quality: NDArray[np.float32],
    count: int,
    best: float = BEST_FRACTION,
    fewest: int = FEWEST,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Centre of each identity as eDifFIQA has it: the mean embedding of its best images.

    Those are its images among the fraction `best` of all images, by `quality` `[N]`. Takes
    embeddings `[N, D]`, as they are, and numbers `[N]` of `count` identities. Returns `[count, D]`,
    and for each identity whether it has `fewest` such images; the centre of one that has not is 0.
    """
    threshold = np.sort(quality)[::-1][min(int(best * len(quality)), len(quality) - 1)]
    chosen = quality >= threshold
    enough = np.bincount(identities[chosen], minlength=count) >= max(fewest, 1)
    centres = np.zeros((count, embeddings.shape[1]), np.float32)
    for identity in np.flatnonzero(enough):
        centres[identity] = embeddings[chosen & (identities == identity)].mean(0)
    return centres, enough


def impostor_threshold(
    embeddings: NDArray[np.float32],
    identities: NDArray[np.int64],
    centres: NDArray[np.float32],
    false_match_rate: float = 1e-3,
) -> float:
    """Cosine that only `false_match_rate` of the embeddings reach to another identity's centre.

    A crop below it cannot be told from a stranger: a wrong face, or one too poor to recognise.
    """
    similarity = normalised(embeddings) @ centres.T
    others = np.arange(len(centres))[None] != identities[:, None]
    return float(np.quantile(similarity[others], 1 - false_match_rate))


def are_recognisable(
    embeddings: NDArray[np.float32], identities: NDArray[np.int64], centres: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Which embeddings `[N, D]` are closer to their identity's centre than strangers are."""
    threshold = impostor_threshold(embeddings, identities, centres)
    return np.asarray(cosine(embeddings, centres[identities]) >= threshold)


def quality_labels(
    clean: NDArray[np.float32],
    degraded: NDArray[np.float32],
    centres: NDArray[np.float32],
    epsilon: float = EPSILON,
) -> NDArray[np.float32]:
    """Raw labels `[N]` of degraded copies; not normalised, higher is better.

    `clean`, `degraded`, `centres`: `[N, D]`, the embeddings of the clean crop and of its copy, and
    the centre of its identity. A clean crop is its own copy: stability 1, only its distance to
    the centre counts, so pose, light and expression lower it too.
    """
    stability, typicality = cosine(clean, degraded), cosine(degraded, centres)
    return np.asarray(stability - epsilon * (1 - typicality), np.float32)


def min_max(labels: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """Map `low` to 0 and `high` to 1 and clip to [0, 1]."""
    return np.asarray(np.clip((labels - low) / (high - low), 0, 1), np.float32)


def stability_labels(
    embeddings: NDArray[np.float32], identities: NDArray[np.int64], epsilon: float = EPSILON
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Labels in [0, 1] of pictures embedded as `[N, 1 + copies, D]`, and which to train on.

    Pictures whose clean crop cannot be told from a stranger are left out, copies included.
    The lowest and highest half per cent of the rest are the ends of the scale.
    """
    clean = embeddings[:, 0]
    centres = class_centres(clean, identities)
    recognisable = are_recognisable(clean, identities, centres)
    raw = np.stack(
        [
            quality_labels(clean, embeddings[:, column], centres[identities], epsilon)
            for column in range(embeddings.shape[1])
        ],
        axis=1,
    )
    low, high = np.quantile(raw[recognisable], ENDS)
    kept = np.broadcast_to(recognisable[:, None], raw.shape).copy()
    return min_max(raw, float(low), float(high)), kept


def expected_labels(
    embeddings: NDArray[np.float32],
    features: NDArray[np.float32],
    identities: NDArray[np.int64],
    seed: int,
) -> tuple[NDArray[np.float32], float]:
    """Labels in [0, 1] of pictures embedded as `[N, 1 + copies, D]`: their expected similarity.

    `features` `[N, 1 + copies, F]` are the recogniser's inner ones. Crops that cannot be told from
    a stranger, and their copies, are not learned from, but have a label like any other. All copies
    of a crop together weigh `COPIES` of it: else what degradation does, which is much, would
    outweigh what tells good crops from fair ones.
    Returns the labels and the correlation of the expectation with the similarities.
    """
    clean = embeddings[:, 0]
    similarity = genuine_similarity(embeddings, identities)
    recognisable = are_recognisable(clean, identities, class_centres(clean, identities))
    columns = embeddings.shape[1]
    weights = np.full(similarity.shape, COPIES / max(columns - 1, 1), np.float32)
    weights[:, 0] = 1
    weights[~recognisable] = 0
    weights[np.isnan(similarity)] = 0
    raw, correlation = expected(
        features.reshape(similarity.size, -1),
        similarity.ravel(),
        weights.ravel(),
        np.repeat(identities, columns),
        seed,
    )
    low, high = np.quantile(raw, ENDS)
    return min_max(raw, float(low), float(high)).reshape(similarity.shape), correlation
