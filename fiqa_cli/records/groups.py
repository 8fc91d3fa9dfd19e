"""Groups of rows that show one person or one scene, and moments of videos."""

import re
from collections.abc import Sequence

from fiqa_cli.records.batches import Batch

FOLDER, VIDEO = "folder", "video"
"""What rows can be grouped by besides a column of theirs."""

Key = tuple[str, ...]

_MOMENT = re.compile(r"::(\d+(?:\.\d+)?)s$")


def folder_of(path: str) -> str:
    """The folder that directly holds an image, or the archive if it lies at an archive's top."""
    folder, slash, name = path.rpartition("/")
    archive, inside, _ = name.partition("::")
    return f"{folder}{slash}{archive}" if inside else folder


def video_of(path: str) -> str:
    """The file that holds a frame, `clip.mp4` of `clip.mp4::12.5s`; else the path itself."""
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
        return [video_of(path) for path in batch.paths()]
    return [str(value) for value in batch.column(name)]
