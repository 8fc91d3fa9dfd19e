"""Files that a URL names: in object stores, on web servers and wherever else fsspec reaches."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from itertools import count
from typing import Any

from fiqa_cli.sources.entry import LARGEST_IMAGE, check_size
from fiqa_cli.sources.network import WEB, attempt, locate, protocol_of, read_fully
from fiqa_cli.sources.reasons import UnreadableImage
from fiqa_cli.sources.reel import Items, Reel
from fiqa_cli.sources.storage import pread_blocks

BLOCK = 1 << 22
"""Bytes that are fetched at once of a file that is read in parts."""

KEPT_BLOCKS = 48
"""Latest blocks of all remote files that are remembered: workers read what listing just passed."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """The place of an image that is a remote file of its own."""

    url: str

    def read(self) -> bytes:
        """See `Place`."""
        content = attempt(lambda: self._fetch(LARGEST_IMAGE + 1))
        check_size(len(content))
        return content

    def _fetch(self, size: int) -> bytes:
        # cat_file would take more than `size` from a web server.
        if protocol_of(self.url) in WEB:
            with _stream(self.url) as stream:
                return read_fully(stream, size)
        system, path = locate(self.url)
        return bytes(system.cat_file(path, start=0, end=size))


class RemoteStorage:
    """A remote file that is read in parts. Raises `UnreadableImage` if there is none.

    Where a web server gives no parts it is read from its head, and again whenever what is asked
    for lies far before what was asked for last.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        found = _information(url)
        if found["type"] == "directory":
            raise UnreadableImage("is a directory")
        self.size: int | None = found.get("size")
        self._version = str([found.get(name) for name in ("ETag", "Last-Modified", "mtime")])
        self._lock = threading.Lock()
        self._reel: Reel | None = None
        if self.size is None or not found.get("partial", True):
            self._reel = Reel(self._play)

    def pread(self, offset: int, size: int) -> bytes:
        """See `Storage`."""
        return pread_blocks(self._block, BLOCK, offset, size)

    def _block(self, number: int) -> bytes:
        with self._lock:
            if self._reel is None:
                block = self._part(number)
                if block is not None:
                    return block
                self._reel = Reel(self._play)
        return self._reel.take(number)

    def _part(self, number: int) -> bytes | None:
        """A block, remembered or fetched; `None` if the server gives no parts."""
        key = (self._url, self._version, number)
        start = number * BLOCK
        end = min(start + BLOCK, self.size or 0)
        if start >= end:
            raise KeyError(number)
        with _blocks_lock:
            if key in _blocks:
                _blocks.move_to_end(key)
                return _blocks[key]
        block = attempt(lambda: self._fetch(start, end))
        if block is not None:
            with _blocks_lock:
                _blocks[key] = block
                while len(_blocks) > KEPT_BLOCKS:
                    _blocks.popitem(last=False)
        return block

    def _fetch(self, start: int, end: int) -> bytes | None:
        system, path = locate(self._url)
        if protocol_of(self._url) in WEB:
            # cat_file would take the whole file from a server that gives no parts.
            with system.open(path, "rb", BLOCK, cache_type="none", size=self.size) as file:
                file.seek(start)
                try:
                    part = bytes(file.read(end - start))
                except ValueError:
                    return None
        else:
            part = bytes(system.cat_file(path, start=start, end=end))
        if len(part) != end - start:
            raise ConnectionError("the connection dropped")
        return part

    def _play(self, start: int) -> Items:
        streams: list[Any] = []

        def following() -> bytes:
            try:
                if not streams:
                    streams.append(_stream(self._url))
                    for _ in range(number):
                        read_fully(streams[0], BLOCK)
                return read_fully(streams[0], BLOCK)
            except Exception:
                streams.clear()  # the next attempt opens it again and reads up to here
                raise

        for number in count():
            block = attempt(following)
            if not block:
                return
            yield number, block


_blocks: OrderedDict[tuple[str, str, int], bytes] = OrderedDict()
_blocks_lock = threading.Lock()


def is_folder(url: str) -> bool:
    """Whether there is a folder of that name; on the web one has a slash at its end."""
    try:
        return protocol_of(url) not in WEB and _information(url)["type"] == "directory"
    except UnreadableImage:
        return False


def children(url: str) -> list[tuple[str, bool]]:
    """The names in a folder, in order of their bytes, and whether each is a folder.

    Raises `UnreadableImage` if it cannot be listed.
    """

    def ask() -> tuple[str, list[dict[str, Any]]]:
        system, path = locate(url)
        return path, system.ls(path, detail=True)

    found = {}
    path, listed = attempt(ask)
    for child in listed:
        parent, _, name = child["name"].rstrip("/").rpartition("/")
        # A web page links to anywhere; object stores list the folder itself, too.
        if name and parent.strip("/") == path.strip("/"):
            found[name] = child["type"] == "directory"
    return sorted(found.items(), key=lambda child: child[0].encode(errors="surrogateescape"))


def _information(url: str) -> dict[str, Any]:
    def ask() -> dict[str, Any]:
        system, path = locate(url)
        return dict(system.info(path))

    return attempt(ask)


def _stream(url: str) -> Any:
    """A file to be read once, from its head to its end."""
    system, path = locate(url)
    # On the web any size keeps fsspec from asking for it first.
    options = {"block_size": 0, "size": 1} if protocol_of(url) in WEB else {}
    return system.open(path, "rb", **options)
