"""Bytes at an offset of a file, read by any thread: the ground that containers lie on."""

import gzip
import io
import os
import weakref
import zlib
from collections.abc import Callable, Iterator
from itertools import count
from typing import IO, TYPE_CHECKING, Protocol, cast

from fiqa_cli.sources.reasons import UnreadableImage, reason_of, reason_of_mode
from fiqa_cli.sources.reel import Reel

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK = 1 << 20
"""Bytes that a stream is read by."""


class Storage(Protocol):
    """A file of bytes."""

    @property
    def size(self) -> int | None:
        """Bytes; `None` where only reading to the end would tell."""

    def pread(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on; fewer only at the end of the file.

        Raises `UnreadableImage`.
        """


class LocalStorage:
    """A regular file on this machine. Raises `UnreadableImage` if it cannot be opened."""

    def __init__(self, path: str) -> None:
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116 - Path("") would be the current directory
            if reason := reason_of_mode(mode):  # to open a named pipe would wait for its other end
                raise UnreadableImage(reason)
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise UnreadableImage(reason_of(error, path)) from error
        except ValueError as error:
            raise UnreadableImage("not a valid path") from error
        weakref.finalize(self, os.close, self._file)  # when its last user has gone
        self._path = path
        self.size = os.fstat(self._file).st_size

    def pread(self, offset: int, size: int) -> bytes:
        """See `Storage`."""
        size = min(size, max(0, self.size - offset))
        parts = []
        try:
            while size and (part := os.pread(self._file, size, offset)):
                parts.append(part)
                offset, size = offset + len(part), size - len(part)
        except OSError as error:
            raise UnreadableImage(reason_of(error, self._path)) from error
        return b"".join(parts)


class GzipStorage:
    """What a gzip file holds; cheap while offsets rise, but going far back starts from its head."""

    size = None

    def __init__(self, packed: Storage) -> None:
        self._packed = packed
        self._reel = Reel(self._play)

    def pread(self, offset: int, size: int) -> bytes:
        """See `Storage`."""
        return pread_blocks(self._reel.take, BLOCK, offset, size)

    def _play(self, start: int) -> Iterator[tuple[int, bytes]]:
        stream = gzip.GzipFile(fileobj=cast(IO[bytes], open_file(self._packed)))
        for number in count():
            parts, left, failure = [], BLOCK, ""
            try:
                while left and (part := stream.read1(left)):
                    parts.append(part)
                    left -= len(part)
            except EOFError:
                failure = "truncated gzip file"
            except (OSError, zlib.error):
                failure = "broken gzip file"
            if parts:
                yield number, b"".join(parts)
            if failure:
                raise UnreadableImage(failure)
            if not parts:
                return


def pread_blocks(block: Callable[[int], bytes], length: int, offset: int, size: int) -> bytes:
    """`Storage.pread` where `block(number)` gives `length` bytes, or raises `KeyError` at the end.

    A block may be shorter if it is the last, or the last before something that is broken.
    """
    parts = []
    while size > 0:
        number, skipped = divmod(offset, length)
        try:
            part = block(number)[skipped : skipped + size]
            if not part:
                block(number + 1)  # raises what ended it: `KeyError`, or why it is broken
                break
        except KeyError:
            break
        parts.append(part)
        offset, size = offset + len(part), size - len(part)
    return b"".join(parts)


def open_file(storage: Storage, buffer: int = BLOCK) -> io.BufferedReader:
    """A storage as a file that can be sought; it reads `buffer` bytes at once."""
    return io.BufferedReader(_StorageFile(storage), buffer)


class _StorageFile(io.RawIOBase):
    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset += self._place
        elif whence == os.SEEK_END:
            if self._storage.size is None:
                raise io.UnsupportedOperation("the length is not known")
            offset += self._storage.size
        if offset < 0:
            raise ValueError("negative place")
        self._place = offset
        return offset

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        part = self._storage.pread(self._place, len(view))
        view[: len(part)] = part
        self._place += len(part)
        return len(part)
