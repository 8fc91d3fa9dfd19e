"""The images of a tar file, WebDataset's shards above all; nothing is ever extracted."""

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from fiqa_cli.sources.entry import Entry, check_size
from fiqa_cli.sources.formats import EXTENSIONS
from fiqa_cli.sources.opening import open_unzipped, shared
from fiqa_cli.sources.reasons import UnreadableImage
from fiqa_cli.sources.storage import open_file

LONGEST_HEADER = 1 << 20
"""Bytes; an archive that claims more for the names and attributes of one member is broken."""


@dataclass(frozen=True, slots=True)
class TarMember:
    """The place of an image in a tar file, packed by gzip or not."""

    shard: str
    offset: int
    """Of its first byte in the tar, once that is unpacked."""
    size: int

    def read(self) -> bytes:
        """See `Place`."""
        check_size(self.size)
        content = shared(open_unzipped, self.shard).pread(self.offset, self.size)
        if len(content) < self.size:
            raise UnreadableImage(f"truncated tar: {len(content)} of its {self.size} bytes")
        return content


def tar_entries(path: str) -> Iterator[Entry]:
    """The members of a tar file or `.tar.gz` that have an image's extension, in their order.

    Members are files alone: a link or device that is called like an image gets a reason, as does
    one with gaps (a GNU sparse file). Names that begin with a dot are passed over, as in folders;
    a name may occur twice. Only headers are read; of a `.tar.gz` all is unpacked on the way.
    Raises `UnreadableImage` where the file is no tar, or cut off or broken from there on.
    """
    file = _Limited(open_file(open_unzipped(path), 4 * tarfile.BLOCKSIZE))
    with _opened(file) as archive:
        end = -1
        while (member := _next(archive)) is not None:
            if member.size < 0 or archive.offset <= end:
                raise UnreadableImage("broken tar: its members go back")
            end = archive.offset
            if _is_image(member.name):
                yield _entry(path, member)
            # What tarfile remembers would grow with the archive.
            archive.members.clear()  # type: ignore[attr-defined]
            archive.pax_headers = {}
        _check_end(file, archive.offset)


class _Limited(io.BufferedIOBase):
    """A file for tarfile, which would read headers of any length that a member claims."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell  # type: ignore[method-assign]

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= LONGEST_HEADER:
            raise UnreadableImage("broken tar: a header of more than 1 MB")
        return self._file.read(size)


def _opened(file: _Limited) -> tarfile.TarFile:
    try:
        return tarfile.TarFile(fileobj=file, mode="r", encoding="utf-8", errors="surrogateescape")
    except UnreadableImage:
        raise
    except Exception as error:
        raise UnreadableImage("not a tar file, or broken from its first header") from error


def _next(archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    begin = archive.offset
    try:
        return archive.next()
    except UnreadableImage:
        raise
    except tarfile.ReadError as error:
        if "unexpected end" in str(error):
            raise UnreadableImage("truncated tar") from error
        raise UnreadableImage(f"broken tar: the header at byte {begin}") from error
    except Exception as error:  # tarfile raises almost anything on broken headers
        raise UnreadableImage(f"broken tar: the header at byte {begin}") from error


def _check_end(file: _Limited, offset: int) -> None:
    """tarfile takes whatever is no header for the end; the end is a block of zeros."""
    file.seek(offset)
    block = file.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE:
        raise UnreadableImage("truncated tar: it has no end mark")
    if any(block):
        raise UnreadableImage(f"broken tar: the header at byte {offset}")


def _entry(path: str, member: tarfile.TarInfo) -> Entry:
    name = f"{path}::{member.name}"
    if member.issym() or member.islnk():
        return Entry(name, "is a link inside a tar")
    if member.isdir():
        return Entry(name, "is a directory")
    if not member.isreg() or member.issparse():
        return Entry(name, "is a device or sparse file inside a tar")
    return Entry(name, place=TarMember(path, member.offset_data, member.size))


def _is_image(name: str) -> bool:
    parts = name.split("/")
    hidden = any(part.startswith(".") and part not in (".", "..") for part in parts)
    return not hidden and os.path.splitext(name)[1].lower() in EXTENSIONS  # noqa: PTH122
