"""From what a user names (paths, folders, lists, standard input) to a stream of image paths."""

# ruff: noqa: PTH116, PTH118, PTH122
# pathlib would rewrite paths ("./x", "x/"); users get theirs back as they wrote them.

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from errno import ENOENT
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from fiqa_cli.errors import FiqaError
from fiqa_cli.sources.entry import Entry
from fiqa_cli.sources.formats import EXTENSIONS
from fiqa_cli.sources.reasons import reason_of, reason_of_mode

__all__ = ["LONGEST_PATH", "Entry", "expand"]

LONGEST_PATH = 1 << 16
"""Bytes; a longer name means that the input is not a list of paths."""


def expand(
    inputs: Sequence[str], null: bool = False, stdin: BinaryIO | None = None
) -> Iterator[Entry]:
    """Stream the images that `inputs` name, in the order given, each path as the user wrote it.

    An input is a path, a folder, `@FILE` (a list of paths) or `-` (a list on `stdin`). Lists hold
    one path a line, or with `null` end each path with NUL; their lines are paths and folders, never
    further lists, so a file called `-` or `@x` can be named there (or as `./@x`). Bytes that are
    not UTF-8 become surrogate escapes (`os.fsdecode`).

    Folders are walked recursively in byte order of the names, following symbolic links but not into
    a loop; names that start with a dot are skipped, and so are files without an extension in
    `formats.EXTENSIONS`. A folder whose own name ends in such an extension is reported and walked;
    with a slash at its end it is only walked. Paths that do not exist are passed on, for the
    decoder to report.

    Memory does not grow with the number of paths, except for the names of one folder at a time.

    Raises `FiqaError` at once for a list that cannot be read, and while streaming for one that
    holds no paths.
    """
    for name in inputs:
        if name.startswith("@"):
            _check_list(name)
    return _expand(inputs, null, stdin)


def _expand(inputs: Sequence[str], null: bool, stdin: BinaryIO | None) -> Iterator[Entry]:
    for name in inputs:
        if name == "-":
            stream = sys.stdin.buffer if stdin is None else stdin
            for path in _paths(stream, null, "standard input"):
                yield from _walk(path)
        elif name.startswith("@"):
            with Path(name[1:]).open("rb") as listed:
                for path in _paths(listed, null, name[1:]):
                    yield from _walk(path)
        else:
            yield from _walk(name)


def _check_list(name: str) -> None:
    try:
        mode = os.stat(name[1:]).st_mode
    except OSError as error:
        reason = reason_of(error, name[1:])
    else:
        if stat.S_ISDIR(mode):
            reason = "is a directory"
        elif not os.access(name[1:], os.R_OK):
            reason = "permission denied"
        else:
            return
    raise FiqaError(
        f"cannot read the list {name[1:]}: {reason} (a file called {name} is given as ./{name})"
    )


def _paths(stream: BinaryIO, null: bool, name: str) -> Iterator[str]:
    """The names in a list, each as soon as its end has arrived."""
    end = b"\0" if null else b"\n"
    rest = b""
    # read1 returns what a pipe holds; read would wait until its buffer is full.
    while chunk := cast(BufferedReader, stream).read1(LONGEST_PATH):
        *whole, rest = (rest + chunk).split(end)
        for path in whole:
            yield from _path(path, null, name)
        if len(rest) > LONGEST_PATH:
            break
    yield from _path(rest, null, name)


def _path(raw: bytes, null: bool, name: str) -> Iterator[str]:
    if not null:
        raw = raw.removesuffix(b"\r")
    if b"\0" in raw:
        raise FiqaError(f"{name} separates its paths by NUL bytes: add -0")
    if len(raw) > LONGEST_PATH:
        remedy = "without -0, one path a line" if null else "one path a line, or NUL bytes and -0"
        raise FiqaError(f"{name} is not a list of paths: expected {remedy}")
    if raw:
        yield os.fsdecode(raw)


def _walk(top: str) -> Iterator[Entry]:
    """`top` itself if it is no folder, else the images below it, depth first."""
    try:
        found = os.stat(top)
    except (OSError, ValueError):
        yield Entry(top)
        return
    if stat.S_ISDIR(found.st_mode):
        yield from _walk_folder(top, found)
    else:
        yield Entry(top)


def _walk_folder(top: str, found: os.stat_result) -> Iterator[Entry]:
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
        name, is_image_file = child
        path = os.path.join(folder, os.fsdecode(name))
        if is_image_file:
            yield Entry(path)
            continue
        try:
            found = os.stat(path)
        except OSError as error:
            if _is_image(path) or error.errno != ENOENT:
                yield Entry(path, reason_of(error, path))
            continue
        if not stat.S_ISDIR(found.st_mode):
            if _is_image(path):
                yield Entry(path, reason_of_mode(found.st_mode) or "")
        elif any(_identity(found) == above for _, above, _ in folders):
            yield Entry(path, "is a symbolic link to a folder that it lies in")
        else:
            children, reason = _children(path)
            if reason:
                yield Entry(path, reason)
            folders.append((path, _identity(found), children))


def _children(folder: str) -> tuple[Iterator[tuple[bytes, bool]], str]:
    """What to visit in a folder: names, and whether one is surely a regular image file.

    With it a reason to report the folder itself: it cannot be listed, or is called like an image.
    """
    reason = "is a directory" if _is_image(folder) else ""
    names = []
    try:
        with os.scandir(os.fsencode(folder)) as found:
            for child in found:
                if child.name.startswith(b"."):
                    continue
                if not child.is_file(follow_symlinks=False):
                    names.append((child.name, False))
                elif _is_image(os.fsdecode(child.name)):
                    names.append((child.name, True))
    except OSError as error:
        reason = reason_of(error, folder)
    return iter(sorted(names)), reason


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _is_image(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in EXTENSIONS
