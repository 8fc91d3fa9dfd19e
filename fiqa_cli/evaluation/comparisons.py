"""Comparisons: what a recogniser makes of the pairs, and the qualities of the faces in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.drawn_pairs import MATED_LIMIT, NON_MATED_LIMIT, draw_pairs
from fiqa_cli.evaluation.lookup import QualityLookup, Warn, tell_absent
from fiqa_cli.evaluation.matching import clean_path, match_paths
from fiqa_cli.evaluation.measures import Measure
from fiqa_cli.evaluation.pair_list import read_pair_list
from fiqa_cli.evaluation.pairs import Pairs, Rows
from fiqa_cli.evaluation.protocol import Protocol, names_of, pairs_of
from fiqa_cli.evaluation.template import Templates, pool_embeddings, pool_quality
from fiqa_cli.records.embeddings import Embeddings, read_embeddings

Floats = NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)

CHUNK = 1 << 16
"""Pairs compared at a time: IJB-C has 15 million."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """P pairs of F faces, compared by one recogniser."""

    recogniser: str
    pairs: Pairs
    similarity: Floats
    """`[P]`, greater for likelier matches."""
    qualities: dict[str, Floats]
    """For each measure the qualities `[F]` of the faces; NaN where there is none."""

    def of_pairs(self, kept: NDArray[np.bool_]) -> "Comparisons":
        """Only those of the pairs that the mask `[P]` keeps."""
        pairs = replace(
            self.pairs,
            first=self.pairs.first[kept],
            second=self.pairs.second[kept],
            mated=self.pairs.mated[kept],
        )
        return replace(self, pairs=pairs, similarity=self.similarity[kept])


def read_recognisers(files: Sequence[Path]) -> dict[str, Embeddings]:
    """The embeddings of files by name of recogniser, and of file where several have one name.

    Raises `FiqaError` as `read_embeddings` does, and for images with several faces, for pairs
    name images.
    """
    read = [(file, read_embeddings(file)) for file in dict.fromkeys(files)]
    names = [embeddings.recogniser for _, embeddings in read]
    found: dict[str, Embeddings] = {}
    for file, embeddings in read:
        if len(set(embeddings.paths)) < len(embeddings.paths):
            raise FiqaError(
                f"{file} has several faces of one image, and pairs name images: embed one face "
                "of each, as with --faces largest"
            )
        name = embeddings.recogniser
        found[name if names.count(name) == 1 else f"{name} ({file})"] = embeddings
    return found


def pairs_by_folder(
    recognisers: Mapping[str, Embeddings],
    roots: Sequence[str] = (),
    mated_limit: int = MATED_LIMIT,
    non_mated_limit: int = NON_MATED_LIMIT,
    seed: int = 0,
) -> Pairs:
    """Pairs drawn as by `draw_pairs` from the images that all recognisers have.

    Identities are folders below `roots`.
    """
    first, *others = recognisers.values()
    names = [clean_path(path, roots) for path in first.paths]
    common = np.ones(len(names), np.bool_)
    for embeddings in others:
        common &= match_paths(names, embeddings.paths, roots) >= 0
    images = [name for name, everywhere in zip(names, common, strict=True) if everywhere]
    return draw_pairs(images, mated_limit, non_mated_limit, seed)


def compare_embeddings(
    recognisers: Mapping[str, Embeddings],
    protocol: Protocol,
    measures: Sequence[Measure],
    roots: Sequence[str] = (),
    template_quality: Literal["mean", "best"] = "mean",
    warn: Warn = lambda message: None,
) -> list[Comparisons]:
    """Compare the pairs of a protocol with each recogniser, by the cosine of the embeddings.

    Pairs that a recogniser lacks a face of are left out for all, so that means compare; `warn`
    is told. Paths meet as `match_paths` says.
    Raises `FiqaError` where no path meets.
    """
    names, pairs = names_of(protocol), pairs_of(protocol)
    lookups = [QualityLookup(measure, names, roots, warn) for measure in measures]
    usable = np.ones(len(pairs.mated), np.bool_)
    found = []
    for recogniser, embeddings in recognisers.items():
        rows = match_paths(names, embeddings.paths, roots)
        tell_absent(f"the embeddings of {recogniser}", names, rows < 0, warn)
        faces = _taken(embeddings.faces, rows, -1)
        qualities = {lookup.name: lookup.of_faces(faces, warn) for lookup in lookups}
        vectors = _taken(embeddings.vectors, rows, np.nan)
        if isinstance(protocol, Templates):
            vectors = pool_embeddings(vectors, protocol)
            qualities = {
                name: pool_quality(quality, protocol, template_quality)
                for name, quality in qualities.items()
            }
        similarity = cosines(vectors, pairs.first, pairs.second)
        usable &= ~np.isnan(similarity)
        found.append(Comparisons(recogniser, pairs, similarity, qualities))
    return _of_usable(found, usable, warn)


def read_comparisons(
    files: Sequence[Path],
    measures: Sequence[Measure],
    roots: Sequence[str] = (),
    warn: Warn = lambda message: None,
) -> list[Comparisons]:
    """Comparisons made elsewhere, by the column `similarity` of lists of pairs.

    Each file is a recogniser of its name. Pairs without a similarity are left out; `warn` is
    told. Raises `FiqaError` as `read_pair_list` does, for a list without similarities, and if
    a measure has several faces of one image.
    """
    found: list[Comparisons] = []
    for file in dict.fromkeys(files):
        pairs, similarity = read_pair_list(file)
        if similarity is None:
            raise FiqaError(f"{file} has no column similarity: give it as pairs, with embeddings")
        lookups = [QualityLookup(measure, pairs.faces, roots, warn) for measure in measures]
        qualities = {lookup.name: lookup.of_images() for lookup in lookups}
        name = file.stem
        if any(other.recogniser == name for other in found):
            name = str(file)
        one = [Comparisons(name, pairs, similarity, qualities)]
        found += _of_usable(one, ~np.isnan(similarity), warn)
    return found


def cosines(vectors: NDArray[np.float32], first: Rows, second: Rows) -> Floats:
    """The cosine of rows `first` and `second` `[P]` of embeddings `[F, D]`; NaN if either is."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(length == 0, 1, length)
    found = np.empty(len(first))
    for begin in range(0, len(first), CHUNK):
        part = slice(begin, begin + CHUNK)
        found[part] = np.einsum("pd,pd->p", unit[first[part]], unit[second[part]])
    return found


def _taken(values: NDArray[Scalar], rows: Rows, absent: float) -> NDArray[Scalar]:
    """`values[rows]`, `absent` where a row is -1."""
    taken = values[rows]
    taken[rows < 0] = absent
    return taken


def _of_usable(
    found: Sequence[Comparisons], usable: NDArray[np.bool_], warn: Warn
) -> list[Comparisons]:
    """Only the pairs that were compared."""
    if usable.all():
        return list(found)
    if not usable.any():
        raise FiqaError("no pair was compared: give embeddings, or similarities, of its faces")
    lacking = np.count_nonzero(~usable)
    warn(
        f"{lacking:,} of {len(usable):,} pairs ({lacking / len(usable):.1%}) were not compared "
        "and are left out"
    )
    return [comparisons.of_pairs(usable) for comparisons in found]
