"""Folders, here and far away: the images below them, in an order that never changes."""

# ruff: noqa: PTH116, PTH118, PTH122
# pathlib would rewrite paths ("./x", "x/"); users get theirs back as they wrote them.

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from errno import ENOENT

from fiqa_cli.sources.container import (
    enter,
    enter_in_folder,
    is_container,
    is_dataset,
    is_unpacked_when_listed,
    is_video,
)
from fiqa_cli.sources.entry import Entry
from fiqa_cli.sources.formats import EXTENSIONS
from fiqa_cli.sources.reasons import UnreadableImage, reason_of, reason_of_mode
from fiqa_cli.sources.remote import RemoteFile, children
from fiqa_cli.sources.video import EVERY

DEEPEST_FOLDER = 100
"""Folders below each other on a server, which could go on for ever."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a listing takes beyond what is named: see `expand`."""

    every: int | None = None
    offline: bool = False
    quick: bool = False
    """Whether what would take long to list ends the listing, by `TakesLong`."""


class TakesLong(Exception):
    """A quick listing met something that is not listed quickly."""


def walk(top: str, scope: Scope) -> Iterator[Entry]:
    """`top` itself if it is an image, else the images in it or below it, depth first."""
    try:
        found = os.stat(top)
    except (OSError, ValueError):
        yield Entry(top)
        return
    if stat.S_ISDIR(found.st_mode):
        yield from _walk_folder(top, found, scope)
    elif not is_container(top):
        yield Entry(top)
    elif scope.quick and is_unpacked_when_listed(top):
        raise TakesLong
    else:
        yield from enter(top, scope.every or EVERY)


def _walk_folder(top: str, found: os.stat_result, scope: Scope) -> Iterator[Entry]:
    # A stack of our own: folders may be nested deeper than Python's recursion limit.
    children, reason = _children(top)
    if reason:
        yield Entry(top, reason)
    folders = [(top, _identity(found), children)]
    while folders:
        folder, _, children = folders[-1]
        child = next(children, None)
        if child is None:
            folders.pop()
            continue
        name, is_file = child
        path = os.path.join(folder, os.fsdecode(name))
        if is_file:
            yield from (Entry(path),) if is_image(path) else _in_folder(path, scope)
            continue
        try:
            found = os.stat(path)
        except OSError as error:
            if is_image(path) or error.errno != ENOENT:
                yield Entry(path, reason_of(error, path))
            continue
        if not stat.S_ISDIR(found.st_mode):
            if is_image(path):
                yield Entry(path, reason_of_mode(found.st_mode) or "")
            elif stat.S_ISREG(found.st_mode):
                yield from _in_folder(path, scope)
        elif any(_identity(found) == above for _, above, _ in folders):
            yield Entry(path, "is a symbolic link to a folder that it lies in")
        else:
            children, reason = _children(path)
            if reason:
                yield Entry(path, reason)
            folders.append((path, _identity(found), children))


def _children(folder: str) -> tuple[Iterator[tuple[bytes, bool]], str]:
    """What to visit in a folder: names, and whether one is surely a regular file.

    With it a reason to report the folder itself: it cannot be listed, or is called like an image.
    """
    reason = "is a directory" if is_image(folder) else ""
    names = []
    try:
        with os.scandir(os.fsencode(folder)) as found:
            for child in found:
                if child.name.startswith(b"."):
                    continue
                if not child.is_file(follow_symlinks=False):
                    names.append((child.name, False))
                elif _may_hold_images(os.fsdecode(child.name)):
                    names.append((child.name, True))
    except OSError as error:
        reason = reason_of(error, folder)
    return iter(sorted(names)), reason


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _may_hold_images(name: str) -> bool:
    return is_image(name) or is_container(name)


def is_image(path: str) -> bool:
    """Whether `path` is called like an image."""
    return os.path.splitext(path)[1].lower() in EXTENSIONS


def walk_remote(top: str, scope: Scope) -> Iterator[Entry]:
    """The images below a remote folder, depth first; `top` ends with a slash."""
    folders: list[tuple[str, Iterator[tuple[str, bool]]]] = [("", iter([(top, True)]))]
    while folders:
        folder, names = folders[-1]
        name, is_folder = next(names, ("", False))
        url = f"{folder}{name}"
        if not name:
            folders.pop()
        elif name.startswith("."):
            continue
        elif is_folder:
            url = url if url.endswith("/") else f"{url}/"
            try:
                if len(folders) > DEEPEST_FOLDER:
                    raise UnreadableImage(f"more than {DEEPEST_FOLDER} folders deep")
                folders.append((url, iter(children(url))))
            except UnreadableImage as error:
                yield Entry(url, str(error))
        elif is_image(name):
            yield Entry(url, place=RemoteFile(url))
        else:
            yield from _in_folder(url, scope)


def _in_folder(path: str, scope: Scope) -> Iterator[Entry]:
    """The images of a file in a folder that is no image itself."""
    if is_dataset(path) or (scope.every is not None and is_video(path)):
        if scope.quick and is_unpacked_when_listed(path):
            raise TakesLong
        yield from enter_in_folder(path, scope.every or EVERY)
