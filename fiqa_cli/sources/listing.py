"""From what a user names (paths, folders, lists, standard input) to a stream of image paths."""

# ruff: noqa: PTH116
# pathlib would rewrite paths ("./x", "x/"); users get theirs back as they wrote them.

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from fiqa_cli.errors import FiqaError
from fiqa_cli.sources.container import enter, is_container, is_video, select, split
from fiqa_cli.sources.entry import Entry
from fiqa_cli.sources.network import check_url, is_url
from fiqa_cli.sources.reasons import reason_of
from fiqa_cli.sources.remote import RemoteFile, is_folder
from fiqa_cli.sources.video import EVERY, check_player
from fiqa_cli.sources.walk import Scope, TakesLong, is_image, walk, walk_remote

__all__ = ["LONGEST_PATH", "Entry", "count", "expand"]

LONGEST_PATH = 1 << 16
"""Bytes; a longer name means that the input is not a list of paths."""


def expand(
    inputs: Sequence[str],
    null: bool = False,
    stdin: BinaryIO | None = None,
    *,
    every: int | None = None,
    offline: bool = False,
) -> Iterator[Entry]:
    """Stream the images that `inputs` name, in the order given, each path as the user wrote it.

    An input is a path, a folder, a URL, `@FILE` (a list of them) or `-` (a list on `stdin`). Lists
    hold one path a line, or with `null` end each path with NUL; their lines are no further lists,
    so a file called `-` or `@x` can be named there (or as `./@x`). Bytes that are not UTF-8 become
    surrogate escapes (`os.fsdecode`).

    Folders are walked recursively in byte order of the names, following symbolic links but not into
    a loop; names that start with a dot are skipped, and so are files without an extension in
    `formats.EXTENSIONS`. A folder whose own name ends in such an extension is reported and walked;
    with a slash at its end it is only walked. Paths that do not exist are passed on, for the
    decoder to report.

    Files that hold images (`container.CONTAINERS`) give those, under `CONTAINER::MEMBER`; as an
    input, that selects the member. In folders such files are entered if they are datasets
    (`container.DATASETS`) and no reports of ours, and videos only if `every` is given: the
    milliseconds from which one frame is taken, else `video.EVERY`. With `offline` a URL that needs
    the network is refused.

    Memory does not grow with the number of paths, except for the names of one folder at a time.

    Raises `FiqaError` at once for a list that cannot be read, for a URL that is refused and for
    what needs a package that is not installed; while streaming for those that lists name, and for
    a list that holds no paths.
    """
    scope = Scope(every, offline)
    for name in inputs:
        if name.startswith("@"):
            _check_list(name)
        elif _is_remote(name):
            check_url(name, offline)
        elif is_video(name):
            check_player()
    return _expand(inputs, null, stdin, scope)


def count(inputs: Sequence[str], null: bool = False, *, every: int | None = None) -> int | None:
    """How many images `expand` would give; `None` where finding out would take long.

    That is where something is remote, is packed by gzip, or comes from standard input; and where
    `expand` raises.
    """
    if "-" in inputs:
        return None
    try:
        return sum(1 for _ in _expand(inputs, null, None, Scope(every, quick=True)))
    except (TakesLong, FiqaError):
        return None


def _expand(
    inputs: Sequence[str], null: bool, stdin: BinaryIO | None, scope: Scope
) -> Iterator[Entry]:
    for name in inputs:
        if name == "-":
            stream = sys.stdin.buffer if stdin is None else stdin
            for path in _paths(stream, null, "standard input"):
                yield from _named(path, scope)
        elif name.startswith("@"):
            with Path(name[1:]).open("rb") as listed:
                for path in _paths(listed, null, name[1:]):
                    yield from _named(path, scope)
        else:
            yield from _named(name, scope)


def _is_remote(path: str) -> bool:
    return is_url(path) and not os.path.lexists(path)


def _named(path: str, scope: Scope) -> Iterator[Entry]:
    """The images of one path, folder or URL."""
    if _is_remote(path):
        if scope.quick:
            raise TakesLong
        reason = check_url(path, scope.offline)
        entries = iter([Entry(path, reason)]) if reason else _named_url(path, scope)
    elif member := split(path):
        entries = select(*member)
    else:
        entries = walk(path, scope)
    yield from entries


def _named_url(url: str, scope: Scope) -> Iterator[Entry]:
    if member := split(url):
        yield from select(*member)
    elif url.endswith("/"):
        yield from walk_remote(url, scope)
    elif is_container(url):
        yield from enter(url, scope.every or EVERY)
    elif not is_image(url) and is_folder(url):
        yield from walk_remote(f"{url}/", scope)
    else:
        yield Entry(url, place=RemoteFile(url))


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
