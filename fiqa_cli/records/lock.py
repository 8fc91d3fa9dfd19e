"""The lock of an output file: one run at a time writes it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from fiqa_cli.errors import FiqaError


@contextmanager
def locked(output: Path | None) -> Iterator[None]:
    """Hold `output` for this run, by `.FILE.lock` beside it. Standard output needs none.

    The lock is the kernel's (`flock`): a run that is killed leaves an empty file, but no lock.
    Raises `FiqaError` if another run holds it, or its folder cannot be written.
    """
    if output is None or (output.exists() and not output.is_file()):
        yield
        return
    path = output.with_name(f".{output.name}.lock")
    stream = take(path, output)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        stream.close()


def take(path: Path, output: Path) -> BinaryIO:
    """Open `path`, which stands for `output`, for appending, and lock it until it is closed.

    Raises as `locked` does.
    """
    while True:
        try:
            stream = path.open("ab")
        except OSError as error:
            raise FiqaError(f"cannot write {output}: {error.strerror}") from error
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.close()
            raise FiqaError(
                f"another run is writing {output}: wait for its end, or name another file"
            ) from None
        except OSError:  # a file system without locks
            return stream
        # The run that held it may just have removed the file that was opened.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                return stream
        stream.close()
