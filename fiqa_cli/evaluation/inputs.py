"""The files of an evaluation, and which pairs of faces they give."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.comparisons import (
    Comparisons,
    compare_embeddings,
    pairs_by_folder,
    read_comparisons,
    read_recognisers,
)
from fiqa_cli.evaluation.drawn_pairs import MATED_LIMIT, NON_MATED_LIMIT
from fiqa_cli.evaluation.lookup import Warn
from fiqa_cli.evaluation.measures import read_measures
from fiqa_cli.evaluation.protocol import read_protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Reports, and either embeddings with pairs, or comparisons made elsewhere.

    Raises `FiqaError` for files that do not go together, and choices that would have no effect.
    """

    reports: Sequence[Path]
    """Of `fiqa score`; each model in them is a measure."""
    embeddings: Sequence[Path] = ()
    """Of `fiqa embed`, one file for each recogniser."""
    comparisons: Sequence[Path] = ()
    """Lists with the columns a, b, mated and similarity, one for each recogniser."""
    pairs: Path | None = None
    """A file as `read_protocol` takes it."""
    templates: Path | None = None
    """Images, templates and media; `pairs` then lists pairs of templates."""
    by_folder: bool = False
    """Draw the pairs: each folder of images is one person."""
    mated_limit: int | None = None
    """Of each person, if pairs are drawn; `MATED_LIMIT` by default."""
    non_mated_limit: int | None = None
    """Of each person, if pairs are drawn; `NON_MATED_LIMIT` by default."""
    seed: int = 0
    """Of the pairs drawn."""
    roots: Sequence[str] = ()
    """Leading folders to take off paths before files are joined."""
    extension: str | None = None
    """Of the images of LFW's `pairs.txt`; `.jpg` by default."""
    template_quality: Literal["mean", "best"] | None = None
    """The mean, by media, or the best quality of a template's images; the mean by default."""

    def __post_init__(self) -> None:
        if not self.reports:
            raise FiqaError("nothing to evaluate: name reports of fiqa score")
        if bool(self.embeddings) == bool(self.comparisons):
            raise FiqaError("give --embeddings, or --comparisons that were made elsewhere")
        if self.comparisons and (self.pairs or self.by_folder):
            raise FiqaError("--comparisons are pairs already: leave out --pairs and --by-folder")
        if self.embeddings and bool(self.pairs) == self.by_folder:
            raise FiqaError("say which faces to compare: either --pairs FILE or --by-folder")
        if not self.by_folder and (self.mated_limit or self.non_mated_limit):
            raise FiqaError("--mated-limit and --non-mated-limit go with --by-folder")
        if self.extension and not self.pairs:
            raise FiqaError("--extension goes with --pairs, for a pairs.txt")
        if self.templates and not self.pairs:
            raise FiqaError("--templates goes with --pairs, the list of pairs of templates")
        if self.template_quality and not self.templates:
            raise FiqaError("--template-quality goes with --templates")


def read_inputs(inputs: Inputs, warn: Warn = lambda message: None) -> list[Comparisons]:
    """The comparisons of each recogniser, with the qualities of all measures.

    `warn` is told of what the files do not have in common. Raises `FiqaError` for a file that
    cannot be read or does not fit.
    """
    measures = read_measures(inputs.reports)
    if inputs.comparisons:
        return read_comparisons(inputs.comparisons, measures, inputs.roots, warn)
    protocol = None
    if inputs.pairs is not None:
        # Before the embeddings, for it is soon found wrong.
        protocol = read_protocol(inputs.pairs, inputs.templates, inputs.extension)
    recognisers = read_recognisers(inputs.embeddings)
    if protocol is None:
        protocol = pairs_by_folder(
            recognisers,
            inputs.roots,
            inputs.mated_limit or MATED_LIMIT,
            inputs.non_mated_limit or NON_MATED_LIMIT,
            inputs.seed,
        )
    return compare_embeddings(
        recognisers, protocol, measures, inputs.roots, inputs.template_quality or "mean", warn
    )
