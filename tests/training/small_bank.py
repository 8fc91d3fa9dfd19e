"""A bank of noise, one crop per identity, that takes no time to learn from."""

import numpy as np

from fiqa_cli.training.bank import Bank

IDENTITIES = 6
COPIES = 1


def small_bank(kind: str = "clean") -> Bank:
    """Random crops; the degraded copies, all of one `kind`, are their negatives."""
    rng = np.random.default_rng(0)
    shape = (IDENTITIES, 1 + COPIES)
    clean = rng.integers(0, 256, (IDENTITIES, 1, 112, 112, 3), dtype=np.uint8)
    embeddings = rng.normal(size=(IDENTITIES, 1, 128)) + 0.3 * rng.normal(size=(*shape, 128))
    return Bank(
        crops=np.concatenate((clean, 255 - clean), axis=1),
        embeddings=embeddings.astype(np.float32),
        identities=np.arange(IDENTITIES),
        kinds=np.array([["clean", kind]] * IDENTITIES),
        strengths=np.zeros(shape, np.float32),
    )
