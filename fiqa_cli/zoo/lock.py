"""One process at a time."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fiqa_cli.zoo.cache import cache_folder, make_folder


@contextmanager
def locked(name: str, notify: Callable[[str], None]) -> Iterator[Path]:
    """Hold the lock `name` of the cache folder; waits, and says so, while another process does."""
    file = make_folder(cache_folder() / "locks") / f"{name}.lock"
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            notify(f"another process is fetching {name}: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield file
