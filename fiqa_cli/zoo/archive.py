"""Unpack a zip that may be hostile."""

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.cache import require_space

LARGEST = 2 * 2**30
"""Bytes that an unpacked model package may have."""
_MOST_FILES = 100


def unpack(archive: Path, folder: Path, largest: int = LARGEST) -> None:
    """Unpack the zip `archive` into the new `folder`, without a single enclosing top folder.

    Raises `FiqaError`, and leaves nothing behind, if a member is absolute, leaves the folder, is
    a link or encrypted, occurs twice, if there are more than `largest` bytes, or if it is damaged.
    """
    folder.mkdir()
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _members(archive, opened)
            total = sum(info.file_size for info in members.values())
            if total > largest or len(members) > _MOST_FILES:
                raise FiqaError(
                    f"{archive.name} would unpack to {len(members)} files and"
                    f" {total / 1e6:.0f} MB: that is no model package"
                )
            require_space(folder, total)
            for name, info in members.items():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                # zipfile reads no more than the announced size and checks the CRC.
                with opened.open(info) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file, 2**20)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(
            error, zipfile.BadZipFile | zlib.error | OSError | EOFError | NotImplementedError
        ):
            raise FiqaError(f"{archive.name} is a damaged zip: {error}") from error
        raise


def _members(archive: Path, opened: zipfile.ZipFile) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """The files of a zip by their path inside the folder to be made."""
    found: dict[PurePosixPath, zipfile.ZipInfo] = {}
    for info in opened.infolist():
        path = PurePosixPath(info.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in info.filename or not path.parts:
            raise FiqaError(f"{archive.name} has a member outside its folder: {info.filename!r}")
        if stat.S_ISLNK(info.external_attr >> 16) or info.flag_bits & 1:
            raise FiqaError(f"{archive.name} has a linked or encrypted member: {info.filename!r}")
        if info.is_dir() or path.parts[0] == "__MACOSX":
            continue
        if path in found:
            raise FiqaError(f"{archive.name} has a member twice: {info.filename!r}")
        found[path] = info
    tops = {path.parts[0] for path in found}
    if len(tops) == 1 and all(len(path.parts) > 1 for path in found):
        return {PurePosixPath(*path.parts[1:]): info for path, info in found.items()}
    return found
