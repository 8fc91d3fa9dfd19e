"""Groups of rows that show one person or one scene, and moments of videos."""

import re
from collections.abc import Sequence

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.batches import Batch

FOLDER, VIDEO = "folder", "video"
"""What rows can be grouped by besides a column of theirs."""

Key = tuple[str, ...]

_MOMENT = re.compile(r"::(\d+(?:\.\d+)?)s$")


def folder_of(path: str) -> str:
    """The folder that directly holds an image, or the archive if it lies at an archive's top.

    InsightFace's training sets hold many identities at their top, and a record's label says which
    it shows: that of `train.rec::12345` is `train.rec/7`. Raises `FiqaError` if that file is not
    there or broken.
    """
    folder, slash, name = path.rpartition("/")
    archive, inside, member = name.partition("::")
    if not inside:
        return folder
    archive = f"{folder}{slash}{archive}"
    return _identity_of(archive, member) if archive.lower().endswith(".rec") else archive


def _identity_of(training_set: str, key: str) -> str:
    # Only such paths pay for what reads them.
    from fiqa_cli.sources.reasons import UnreadableImage
    from fiqa_cli.sources.record_file import label_of

    try:
        label = label_of(training_set, key)
    except UnreadableImage as error:
        raise FiqaError(
            f"{training_set} does not tell the identity of its record {key} ({error}): "
            "put the file where the paths of the report lead"
        ) from error
    # A broken record has no quality, so that it does not matter where it is.
    return training_set if label is None else f"{training_set}/{label:.0f}"


def archive_of(path: str) -> str:
    """The file that holds an image, `clip.mp4` of `clip.mp4::12.5s`; else the path itself."""
    return path.partition("::")[0]


def moment_of(path: str) -> float | None:
    """The seconds from the start of a video to the frame `clip.mp4::12.5s`."""
    match = _MOMENT.search(path)
    return float(match[1]) if match else None


def group_keys(batch: Batch, by: Sequence[str]) -> list[Key]:
    """The group of each row: what `FOLDER`, `VIDEO` or the columns that `by` names say of it."""
    return list(zip(*(_parts(batch, name) for name in by), strict=True))


def _parts(batch: Batch, name: str) -> list[str]:
    if name == FOLDER:
        return [folder_of(path) for path in batch.paths()]
    if name == VIDEO:
        return [archive_of(path) for path in batch.paths()]
    return [str(value) for value in batch.column(name)]
