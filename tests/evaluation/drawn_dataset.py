"""Small datasets: faces whose similarity falls with their utility, and measures of it."""

import numpy as np

from fiqa_cli.evaluation.measures import Measure
from fiqa_cli.records.embeddings import Embeddings

IDENTITIES, IMAGES, SIZE = 12, 6, 24


def embeddings(paths, vectors=None, faces=None, recogniser="r"):
    """Embeddings of images; all the same without `vectors`."""
    vectors = np.ones((len(paths), 2)) if vectors is None else vectors
    faces = np.zeros(len(paths), np.int64) if faces is None else np.array(faces)
    return Embeddings(list(paths), faces, np.array(vectors, np.float32), recogniser)


def measure(name, paths, quality, faces=None):
    faces = np.zeros(len(paths), np.int64) if faces is None else np.array(faces)
    return Measure(name, list(paths), faces, np.array(quality, np.float64))


def dataset(seed=0, noise=(0.05, 0.3)):
    """Paths, the embeddings of two recognisers, and measures that know utility ever worse."""
    rng = np.random.default_rng(seed)
    paths = [f"{person:02d}/{n}.png" for person in range(IDENTITIES) for n in range(IMAGES)]
    utility = rng.uniform(0, 1, len(paths))
    recognisers = {}
    for name in ("first", "second"):
        centres = rng.normal(size=(IDENTITIES, SIZE)).repeat(IMAGES, axis=0)
        vectors = utility[:, None] * centres + 0.5 * rng.normal(size=centres.shape)
        recognisers[name] = embeddings(paths, vectors, recogniser=name)
    measures = [
        measure(f"noise {level}", paths, utility + level * rng.normal(size=len(paths)))
        for level in noise
    ]
    return paths, recognisers, measures
