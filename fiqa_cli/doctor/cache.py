"""The folder of pulled models: where it is, how full, and whether it can be written."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fiqa_cli.doctor.finding import Finding, discreet
from fiqa_cli.zoo.cache import cache_folder

SECTION = "cache"
LEAST_FREE = 500 * 10**6
"""Bytes; the largest models of the registry have 400 MB."""


def cache() -> Iterator[Finding]:
    """Place, content and free space."""
    folder = cache_folder()
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    wanted = "set FIQA_CACHE to a folder that can be written"
    place = discreet(folder)
    if not existing.is_dir():
        yield Finding(SECTION, "folder", f"{place}, but {discreet(existing)} is a file", wanted)
        return
    if not _writeable(existing):
        yield Finding(SECTION, "folder", f"{place}, cannot be written", wanted)
    elif existing == folder:
        yield Finding(SECTION, "folder", place)
    else:
        yield Finding(SECTION, "folder", f"{place}, not made yet")
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    yield Finding(SECTION, "holds", f"{len(files)} files, {size / 1e6:.1f} MB")
    free = shutil.disk_usage(existing).free
    room = "make room, or set FIQA_CACHE to another disk" if free < LEAST_FREE else ""
    yield Finding(SECTION, "free", f"{free / 1e9:.1f} GB", room)


def _writeable(folder: Path) -> bool:
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
