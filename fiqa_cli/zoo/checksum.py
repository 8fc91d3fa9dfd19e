"""Sha256 of files, remembered while a file does not change."""

import contextlib
import hashlib
import json
import os
from pathlib import Path

from fiqa_cli.zoo.cache import cache_folder


def sha256_of(path: Path) -> str:
    """Sha256 of a file in hexadecimal, read anew."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached_sha256(path: Path) -> str:
    """Sha256 of a file, from the cache folder if its size and modification time are as then.

    Meant for damage and mix-ups, not against someone who can write to the cache folder.
    """
    memory = cache_folder() / "hashes.json"
    stat = path.stat()
    key, state = str(path.resolve()), [stat.st_size, stat.st_mtime_ns, stat.st_ino]
    known = _read(memory)
    entry = known.get(key)
    if isinstance(entry, dict) and entry.get("state") == state:
        return str(entry.get("sha256"))
    digest = sha256_of(path)
    # A cache that cannot be written only means that the file is hashed again next time.
    with contextlib.suppress(OSError):
        write_json(memory, {**_read(memory), key: {"state": state, "sha256": digest}})
    return digest


def write_json(file: Path, content: object) -> None:
    """Replace `file` in one step, so that no reader ever sees half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(file)


def _read(memory: Path) -> dict[str, object]:
    try:
        content = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
