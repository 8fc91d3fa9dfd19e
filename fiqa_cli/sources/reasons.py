"""Why a path cannot be read, in a few words for the error column."""

import os
import stat
from errno import ENOENT
from pathlib import Path


class UnreadableImage(Exception):
    """There are no pixels; the message is the reason: one short line without the path."""


def reason_of(error: OSError, path: str) -> str:
    """The reason of a failed system call on `path`, without the path: "permission denied"."""
    if error.errno is None:
        return "cannot be read"
    if error.errno == ENOENT and Path(path).is_symlink():
        return "broken symbolic link"
    return os.strerror(error.errno).lower()


def reason_of_mode(mode: int) -> str | None:
    """Why a file of this `st_mode` is never opened as an image; `None` for a regular file."""
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        return "is a directory"
    if stat.S_ISFIFO(mode):
        return "is a named pipe"
    if stat.S_ISSOCK(mode):
        return "is a socket"
    return "is a device"
