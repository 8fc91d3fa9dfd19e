"""Where downloaded and imported weights live on this machine."""

import os
import shutil
from pathlib import Path

import platformdirs

from fiqa_cli.errors import FiqaError

_SPARE = 64 * 2**20


def cache_folder() -> Path:
    """`FIQA_CACHE`, else `fiqa` in `XDG_CACHE_HOME`, else the platform's cache folder."""
    chosen = os.environ.get("FIQA_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("fiqa", appauthor=False)


def model_folder(name: str) -> Path:
    """The folder of one model. Laid out so that insightface takes the cache as its root."""
    return cache_folder() / "models" / name


def insightface_folder(name: str) -> Path:
    """Where insightface itself keeps a pack."""
    return Path("~/.insightface/models").expanduser() / name


def make_folder(folder: Path) -> Path:
    """Create `folder` with its parents. Raises `FiqaError` where that is not allowed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FiqaError(
            f"cannot create {folder} ({error.strerror}): set FIQA_CACHE to a writable folder"
        ) from error
    return folder


def require_space(folder: Path, needed: int) -> None:
    """Raise `FiqaError` unless the disk of `folder` has room for `needed` bytes and some spare."""
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE:
        raise FiqaError(
            f"{folder} has {free / 1e6:.0f} MB free and {needed / 1e6:.0f} MB are needed:"
            " make room or set FIQA_CACHE to another disk"
        )


def sync(path: Path) -> None:
    """Have the disk hold `path`, a file or folder, before anything depends on it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
