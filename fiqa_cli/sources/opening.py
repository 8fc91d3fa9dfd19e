"""Containers that are open: what every worker reads from is opened once."""

import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from fiqa_cli.sources.network import is_url
from fiqa_cli.sources.reasons import UnreadableImage, reason_of
from fiqa_cli.sources.remote import RemoteStorage
from fiqa_cli.sources.storage import GzipStorage, LocalStorage, Storage

OPEN = 32
"""Containers that stay open at a time."""

Opened = TypeVar("Opened")


def open_storage(path: str) -> Storage:
    """The bytes of a local file or of a URL. Raises `UnreadableImage` if there are none."""
    return RemoteStorage(path) if is_url(path) else LocalStorage(path)


def open_unzipped(path: str) -> Storage:
    """As `open_storage`, but of a gzip file what it holds."""
    storage = open_storage(path)
    return GzipStorage(storage) if storage.pread(0, 2) == b"\x1f\x8b" else storage


def shared(opener: Callable[[str], Opened], path: str) -> Opened:
    """What `opener(path)` gives, once for all who ask while the file at `path` does not change."""
    opened: Opened = _shared(opener, path, _signature(path))
    return opened


def held(loader: Callable[..., Opened], path: str, *options: int) -> Opened:
    """As `shared`, for what takes much memory: only the latest few are kept."""
    loaded: Opened = _held(loader, path, options, _signature(path))
    return loaded


def number_in(member: str) -> int:
    """The number that a member of a container is named by; -1 if it is none."""
    return int(member) if member.isascii() and member.isdigit() and len(member) < 19 else -1


def _signature(path: str) -> object:
    """What changes with a local file."""
    if is_url(path):
        return None
    try:
        found = os.stat(path)  # noqa: PTH116 - Path("") would be the current directory
    except OSError as error:
        raise UnreadableImage(reason_of(error, path)) from error
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


@lru_cache(OPEN)
def _shared(opener: Callable[[str], Any], path: str, _: object) -> Any:
    return opener(path)


@lru_cache(4)
def _held(loader: Callable[..., Any], path: str, options: tuple[int, ...], _: object) -> Any:
    return loader(path, *options)
