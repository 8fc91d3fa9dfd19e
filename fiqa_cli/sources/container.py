"""Files that hold images: which they are, what is in them, and how a member is named."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from fiqa_cli.sources.entry import Entry
from fiqa_cli.sources.formats import sniff
from fiqa_cli.sources.network import WEB, is_url, protocol_of
from fiqa_cli.sources.opening import held, open_storage
from fiqa_cli.sources.parquet_images import NoImageColumn, parquet_entries, parquet_entry
from fiqa_cli.sources.reasons import UnreadableImage
from fiqa_cli.sources.record_file import record_entries, record_entry
from fiqa_cli.sources.tar_shard import tar_entries
from fiqa_cli.sources.verification_set import set_entries, set_entry
from fiqa_cli.sources.video import VIDEOS, check_player, frame_entry, video_entries

SEPARATOR = "::"
"""Between a container and its member: `shard-0001.tar::000123.jpg`."""

TARS = (".tar", ".tar.gz", ".tgz")
DATASETS = (*TARS, ".rec", ".parquet")
"""What marks a container that is entered in a folder, too, in any case."""

CONTAINERS = (*DATASETS, ".bin", *VIDEOS)
"""What marks one that is entered where it is named."""


def is_dataset(path: str) -> bool:
    """Whether `path` is called like a container of images that folders are searched for."""
    return _name(path).endswith(DATASETS)


def is_video(path: str) -> bool:
    """Whether `path` is called like a video."""
    return os.path.splitext(_name(path))[1] in VIDEOS  # noqa: PTH122


def is_container(path: str) -> bool:
    """Whether `path` is called like any container."""
    return _name(path).endswith(CONTAINERS)


def is_unpacked_when_listed(path: str) -> bool:
    """Whether finding out what is in a container takes about as long as reading it."""
    return _name(path).endswith((".tar.gz", ".tgz", ".bin"))


def split(path: str) -> tuple[str, str] | None:
    """The container and the member that `path` names, if it does.

    A file of that very name goes before, and a container must be there, unless it is remote.
    """
    at = path.find(SEPARATOR)
    if at < 0 or (not is_url(path) and os.path.lexists(path)):
        return None
    while at >= 0:
        container = path[:at]
        if is_container(container) and (is_url(container) or Path(container).is_file()):
            return container, path[at + len(SEPARATOR) :]
        at = path.find(SEPARATOR, at + 1)
    return None


def exists(path: str) -> bool:
    """Whether an image of this name may still be there: its file, its container, or a URL."""
    return os.path.lexists(path) or is_url(path) or split(path) is not None


def enter(path: str, every: int) -> Iterator[Entry]:
    """The images in a container; from videos one of each `every` milliseconds.

    What cannot be read is one entry with a reason, after those before it. A file that is called
    like a container but begins like an image is one. Raises `FiqaError` for a video without PyAV.
    """
    name = _name(path)
    try:
        if not is_url(path) and sniff(open_storage(path).pread(0, 64)):
            yield Entry(path)
        elif name.endswith(TARS):
            yield from tar_entries(path)
        elif name.endswith(".rec"):
            yield from record_entries(path)
        elif name.endswith(".parquet"):
            yield from parquet_entries(path)
        elif name.endswith(".bin"):
            yield from set_entries(path)
        else:
            check_player()
            yield from video_entries(path, every)
    except UnreadableImage as error:
        yield Entry(path, str(error))


def enter_in_folder(path: str, every: int) -> Iterator[Entry]:
    """As `enter`, for what a search came upon: Parquet files of something else are passed over."""
    # What stands beside its manifest is a report of ours, perhaps the one being written.
    if not is_url(path) and Path(f"{path}.manifest.json").exists():
        return
    if _name(path).endswith(".parquet"):
        try:
            yield from parquet_entries(path)
        except NoImageColumn:
            return
        except UnreadableImage as error:
            yield Entry(path, str(error))
    else:
        yield from enter(path, every)


def select(container: str, member: str) -> Iterator[Entry]:
    """The images of a container that have the name of this member, nearly always one."""
    path = f"{container}{SEPARATOR}{member}"
    name = _name(container)
    found = False
    try:
        if name.endswith(TARS):
            entries: Iterator[Entry] = iter(held(_tar_by_name, container).get(path, ()))
        elif name.endswith(".rec"):
            entries = record_entry(container, member)
        elif name.endswith(".parquet"):
            entries = parquet_entry(container, member)
        elif name.endswith(".bin"):
            entries = set_entry(container, member)
        else:
            check_player()
            entries = frame_entry(container, member)
        for entry in entries:
            found = True
            yield entry
        if not found:
            yield Entry(path, f"no such member of {Path(container).name}")
    except UnreadableImage as error:
        yield Entry(path, str(error))


def _tar_by_name(path: str) -> dict[str, list[Entry]]:
    members: dict[str, list[Entry]] = {}
    try:
        for entry in tar_entries(path):
            members.setdefault(entry.path, []).append(entry)
    except UnreadableImage:
        if not members:
            raise
    return members


def _name(path: str) -> str:
    """The part of a path that tells what it is; a web address may go on with a query."""
    if is_url(path) and protocol_of(path) in WEB:
        path = re.split("[?#]", path)[0]
    return path.lower()
