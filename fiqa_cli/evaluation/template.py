"""Templates: several images of a person compared as one, as IJB-B and IJB-C do.

Two lists, with spaces between fields, say all: `image template media` for each image, media being
a photo or the video that a frame is from, and `template template mated` for each pair.
"""

import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.pairs import Pairs, Rows, identities_of_mated, read_whole

CHUNK = 1 << 14
"""Images pooled at a time: the embeddings of IJB-C are a gigabyte, of which no copy is made."""


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """F images of T templates, and the pairs of templates to compare."""

    images: list[str]
    """Names `[F]` as the list gives them."""
    template: Rows
    """Row of each image's template, `[F]` in 0..T-1."""
    media: Rows
    """Number of each image's media, `[F]` from 0; what is in two templates has two numbers."""
    pairs: Pairs
    """Pairs whose faces are the ids of the templates, `[T]`."""


def read_templates(images: Path, pairs: Path, root: str = "") -> Templates:
    """Read `ijbc_face_tid_mid.txt` and `ijbc_template_pair_label.txt`, or others like them.

    Images lie in folder `root`. Identities are what `identities_of_mated` makes of the pairs.
    Raises `FiqaError` for a file that cannot be read or is something else, and for a pair of a
    template without images.
    """
    names, numbers = _read_images(images)
    ids, template = np.unique(numbers[:, 0], return_inverse=True)
    template = template.reshape(-1).astype(np.int64)
    media = np.unique(numbers, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    table = _read_pairs(pairs)
    unknown = ~np.isin(table[:, :2], ids)
    if unknown.any():
        raise FiqaError(
            f"{pairs}: template {table[:, :2][unknown][0]} has no image in {images}: "
            "do both belong to one benchmark?"
        )
    first, second = np.searchsorted(ids, table[:, :2]).T
    mated = table[:, 2] == 1
    identities = identities_of_mated(len(ids), first[mated], second[mated])
    folder = f"{root.rstrip('/')}/" if root else ""
    faces = [str(number) for number in ids]
    return Templates(
        images=[folder + name for name in names],
        template=template,
        media=media,
        pairs=Pairs(faces, first, second, mated, identities),
    )


def pool_embeddings(embeddings: NDArray[np.floating], templates: Templates) -> NDArray[np.float32]:
    """One embedding of unit length for each template, `[T, D]`, out of those of images `[F, D]`.

    The mean of each media's images, then the sum of the media; longer embeddings of images weigh
    more, so normalise them before if that is not wanted. Rows of NaN, of images without a
    face, do not count; a template without any other is NaN.
    """
    seen = np.flatnonzero(~np.isnan(embeddings[:, 0]))
    share = 1 / np.maximum(np.bincount(templates.media[seen]), 1)
    order = seen[np.argsort(templates.template[seen], kind="stable")]
    pooled = np.zeros((len(templates.pairs.faces), embeddings.shape[1]))
    for begin in range(0, len(order), CHUNK):
        rows = order[begin : begin + CHUNK]
        ids, starts = np.unique(templates.template[rows], return_index=True)
        weighted = embeddings[rows] * share[templates.media[rows], None]
        pooled[ids] += np.add.reduceat(weighted, starts, axis=0)
    length = np.linalg.norm(pooled, axis=1, keepdims=True)
    length[length == 0] = np.nan
    return np.asarray(pooled / length, np.float32)


def pool_quality(
    quality: NDArray[np.floating], templates: Templates, how: Literal["mean", "best"] = "mean"
) -> NDArray[np.float64]:
    """One quality for each template, `[T]`, out of those of images `[F]`.

    The mean of each media's images, then of the media; or the best image's. NaN does not count; a
    template without any other is NaN.
    """
    seen = np.flatnonzero(~np.isnan(quality))
    template, media = templates.template[seen], templates.media[seen]
    values = np.asarray(quality[seen], np.float64)
    count = len(templates.pairs.faces)
    if how == "best":
        best = np.full(count, -np.inf)
        np.maximum.at(best, template, values)
        best[np.bincount(template, minlength=count) == 0] = np.nan
        return best
    # Each media weighs 1, spread over its images.
    share = 1 / np.bincount(media)[media]
    total = np.bincount(template, share * values, count)
    weight = np.bincount(template, share, count)
    return np.where(weight > 0, total / np.where(weight > 0, weight, 1), np.nan)


def _read_images(path: Path) -> tuple[list[str], Rows]:
    """Names of images, and numbers `[F, 2]` of template and media."""
    lines = os.fsdecode(read_whole(path)).split("\n")
    fields = [line.split() for line in lines if line.strip()]
    try:
        names = [name for name, _, _ in fields]
        return names, np.array([(int(t), int(m)) for _, t, m in fields], np.int64)
    except (ValueError, OverflowError):
        raise FiqaError(
            f"{path} is no list of templates: expected an image, a template and a media number "
            "on each line (was it cut off?)"
        ) from None


def _read_pairs(path: Path) -> Rows:
    """Numbers `[P, 3]` of two templates and 1 or 0."""
    try:
        # loadtxt, not a loop: IJB-C has 15,658,489 pairs.
        table = np.loadtxt(BytesIO(read_whole(path)), np.int64, comments=None, ndmin=2)
    except (ValueError, OverflowError):
        table = np.empty((0, 0), np.int64)
    if table.shape[1] != 3 or not np.isin(table[:, 2], (0, 1)).all():
        raise FiqaError(
            f"{path} is no list of template pairs: expected two template numbers and 1 or 0 "
            "on each line (was it cut off?)"
        )
    return table
