"""What a quality network is taught: pictures with labels, embeddings and class centres."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.crops import Crops, hold_out
from fiqa_cli.training.label_report import read_labels
from fiqa_cli.training.labels import (
    centres_of_best,
    expected_labels,
    min_max,
    stability_labels,
)

Embeddings = NDArray[np.float32]
Notify = Callable[[str], None]

TOLD = 8
"""Names of dropped identities that are told."""


@dataclass(frozen=True)
class Lessons:
    """Arrays over all pictures, in the order of their numbers."""

    labels: NDArray[np.float32]
    """`[P]` in [0, 1]."""
    rows: NDArray[np.int64]
    """Numbers of the pictures to train on."""
    watched: NDArray[np.int64]
    """Numbers of the pictures to validate on."""
    identities: NDArray[np.int64]
    """`[P]`"""
    embeddings: Embeddings | None
    """`[P, D]` by the frozen recogniser, where the loss asks for them."""
    centres: Embeddings | None
    """`[identities, D]`, where labels are optimised."""


def from_report(
    report: Path,
    crops: Crops,
    embeddings: Embeddings | None,
    optimised: bool,
    best: float,
    fewest: int,
    validation: float,
    notify: Notify,
) -> Lessons:
    """Lessons from the labels in a report of `fiqa score`, as eDifFIQA has them.

    Labels are min-max normalised. For `optimised` ones, identities without `fewest` images among
    the fraction `best` of all have no centre and are dropped. Every 1/`validation`th image, in
    order of quality, is watched.
    Raises `FiqaError` if nothing is left.
    """
    quality = read_labels(report, crops)
    kept = ~np.isnan(quality)
    if not kept.all():
        notify(f"{(~kept).sum():,} of {len(kept):,} images have no quality in {report}: left out")
    centres = None
    if optimised:
        assert embeddings is not None
        scored = np.flatnonzero(kept)
        centres, enough = centres_of_best(
            embeddings[scored],
            crops.identities[scored],
            quality[scored],
            len(crops.names),
            best,
            fewest,
        )
        _tell_dropped(crops, enough, best, fewest, notify)
        kept &= enough[crops.identities]
    low, high = float(quality[kept].min()), float(quality[kept].max())
    if low == high:
        raise FiqaError(f"all labels of {report} are equal: there is nothing to learn from them")
    numbers = np.flatnonzero(kept)
    numbers = numbers[np.argsort(quality[numbers], kind="stable")]
    watched = np.zeros(len(numbers), bool)
    if validation:
        watched[np.arange(0, len(numbers), 1 / validation).astype(int)] = True
    return Lessons(
        labels=min_max(quality, low, high),
        rows=np.sort(numbers[~watched]),
        watched=np.sort(numbers[watched]),
        identities=crops.identities,
        embeddings=embeddings,
        centres=centres,
    )


def _tell_dropped(
    crops: Crops, enough: NDArray[np.bool_], best: float, fewest: int, notify: Notify
) -> None:
    """Say which identities have no centre. Raises `FiqaError` if that is all of them."""
    share = f"the best {best:.0%} of all images"
    if not enough.any():
        raise FiqaError(
            f"no identity has {fewest} images among {share}: lower --fewest, raise --best, or "
            "leave out label optimisation with --loss l1"
        )
    dropped = np.flatnonzero(~enough)
    if len(dropped):
        names = ", ".join(crops.names[number] for number in dropped[:TOLD])
        more = ", …" if len(dropped) > TOLD else ""
        images = int(np.isin(crops.identities, dropped).sum())
        notify(
            f"dropped {len(dropped):,} of {len(enough):,} identities ({images:,} images) with "
            f"fewer than {fewest} images among {share}: {names}{more}"
        )


def from_stability(
    crops: Crops, embeddings: Embeddings, epsilon: float, held_out: int, seed: int, notify: Notify
) -> Lessons:
    """Lessons from embeddings `[crops, columns, D]` alone: what degradation does to them.

    The pictures of `held_out` identities are watched, those drawn by `seed`.
    """
    labels, kept = stability_labels(embeddings, crops.identities, epsilon)
    if not kept.all():
        notify(
            f"left out {(~kept[:, 0]).sum():,} of {len(kept):,} images: no closer to their identity"
            " than strangers are"
        )
    return _of_columns(crops, embeddings, labels, kept, held_out, seed)


def from_expectation(
    crops: Crops,
    embeddings: Embeddings,
    features: Embeddings,
    held_out: int,
    seed: int,
    notify: Notify,
) -> Lessons:
    """Lessons from embeddings `[crops, columns, D]` and inner features `[crops, columns, F]`.

    What is taught is how similar a picture can be expected to be to its identity. The pictures of
    `held_out` identities are watched, those drawn by `seed`.
    """
    labels, correlation = expected_labels(embeddings, features, crops.identities, seed)
    notify(f"expected similarity: correlation {correlation:.3f} with that of other identities")
    return _of_columns(crops, embeddings, labels, np.ones(labels.shape, bool), held_out, seed)


def _of_columns(
    crops: Crops,
    embeddings: Embeddings,
    labels: NDArray[np.float32],
    kept: NDArray[np.bool_],
    held_out: int,
    seed: int,
) -> Lessons:
    aside = hold_out(crops.identities, held_out, seed)[:, None]
    return Lessons(
        labels=labels.ravel(),
        rows=np.flatnonzero(kept & ~aside),
        watched=np.flatnonzero(kept & aside),
        identities=np.repeat(crops.identities, embeddings.shape[1]),
        embeddings=embeddings.reshape(labels.size, -1),
        centres=None,
    )
