"""Protocols: which images are compared with which, read from whatever kind of file says so."""

from pathlib import Path

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.bin_set import read_bin_set
from fiqa_cli.evaluation.lfw_pairs import EXTENSION, read_lfw_pairs
from fiqa_cli.evaluation.pair_list import read_pair_list
from fiqa_cli.evaluation.pairs import Pairs
from fiqa_cli.evaluation.template import Templates, read_templates
from fiqa_cli.records.formats import format_of_name

Protocol = Pairs | Templates


def read_protocol(
    path: Path, templates: Path | None = None, extension: str | None = None
) -> Protocol:
    """The pairs of a file, told apart by its name.

    `.bin` is an InsightFace set, `.csv`, `.json`, `.jsonl` and `.parquet` are lists of pairs, and
    all else is the grammar of LFW's `pairs.txt`, whose images have `extension`. With a file
    `templates` of images, templates and media, as IJB-C has them, `path` lists pairs of these.

    Raises `FiqaError` for a file that cannot be read or is something else, and for an extension
    that it has no use for.
    """
    whole = templates is not None or path.suffix.lower() == ".bin" or format_of_name(path)
    if extension is not None and whole:
        raise FiqaError(f"--extension is for a pairs.txt; {path} names its images in full")
    if templates is not None:
        return read_templates(templates, path)
    if path.suffix.lower() == ".bin":
        return read_bin_set(path).pairs
    if format_of_name(path) is not None:
        pairs, similarity = read_pair_list(path)
        if similarity is not None:
            raise FiqaError(
                f"{path} has similarities already: give it as comparisons, without embeddings, "
                "or leave its column similarity out"
            )
        return pairs
    return read_lfw_pairs(path, extension=extension or EXTENSION)


def names_of(protocol: Protocol) -> list[str]:
    """The images that a protocol names, `[F]`."""
    return protocol.faces if isinstance(protocol, Pairs) else protocol.images


def pairs_of(protocol: Protocol) -> Pairs:
    """The pairs to compare, of images or of templates."""
    return protocol if isinstance(protocol, Pairs) else protocol.pairs
