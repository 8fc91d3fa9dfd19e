"""Files that are whole or not there at all, after a power cut too."""

import os
from contextlib import suppress
from pathlib import Path


def publish(part: Path, target: Path) -> None:
    """Give a file its name; raises `FileExistsError` if that is taken.

    `part` may stay where it is, as a second name.
    """
    try:
        target.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the name is taken first, then the file
        target.touch(exist_ok=False)
        part.replace(target)


def rename(part: Path, target: Path) -> None:
    """Give a file that is on the disk its name, durably: the folder is put on the disk as well."""
    part.replace(target)
    with suppress(OSError):  # some file systems cannot
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
