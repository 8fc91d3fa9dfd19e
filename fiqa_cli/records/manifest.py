"""The manifest beside an output file: what made it, and what came of it."""

import json
import os
import sys
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fiqa_cli import __version__
from fiqa_cli.errors import FiqaError
from fiqa_cli.records.durable import rename

_NO_ORIGINS = frozenset({"settings", "batch_size", "workers"})
"""Options that rows do not depend on, and those that are compared one by one."""


@dataclass(slots=True)
class Artefact:
    """A model or detector and the sha256 of its weights."""

    name: str
    sha256: str


@dataclass(slots=True)
class Manifest:
    """Make it when a run starts, and call `finish` when it ends. `None` is what had no part."""

    options: dict[str, Any]
    """The options in force, those left at their defaults too."""
    model: Artefact | None = None
    recogniser: Artefact | None = None
    """Beneath a method that compares embeddings."""
    detector: Artefact | None = None
    seed: int | None = None
    device: str | None = None
    precision: str | None = None
    engine: str | None = None
    """What runs the network, where there is a choice: onnxruntime or torch."""
    counts: dict[str, int] = field(default_factory=dict)
    """Rows by status for `fiqa score`; rows read and kept for `fiqa filter`."""
    version: str = __version__
    command: list[str] = field(default_factory=lambda: list(sys.argv))
    started: str = field(default_factory=lambda: _now())
    """UTC, ISO 8601."""
    ended: str | None = None
    """`None` if the run never came to its end."""
    failed: int = 0
    """Images that failed, or gave no embedding: what the exit code tells."""
    size: int | None = None
    """Bytes of the output at the end."""

    def finish(self, counts: dict[str, int]) -> None:
        """Note the counts and the time."""
        self.counts = dict(counts)
        # A clock that was set back meanwhile must not end the run before it began.
        self.ended = max(_now(), self.started)

    def is_done(self, output: Path) -> bool:
        """Whether the run came to its end and `output`, by its size, is what it left."""
        return self.ended is not None and output.is_file() and output.stat().st_size == self.size


def manifest_path(output: Path) -> Path:
    """Where the manifest of `output` lies: `<output>.manifest.json`."""
    return output.with_name(f"{output.name}.manifest.json")


def write_manifest(output: Path, manifest: Manifest) -> None:
    """Write the manifest of `output` at once, or not at all. Raises `FiqaError` if it cannot."""
    path = manifest_path(output)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as stream:
            # Arguments need not be UTF-8; an escaped surrogate is what JSON calls it.
            stream.write(_dump(manifest).encode("utf-8", "backslashreplace") + b"\n")
            stream.flush()
            os.fsync(stream.fileno())  # without it no run can be resumed after a power cut
        rename(part, path)
    except OSError as error:
        raise FiqaError(f"cannot write {path}: {error.strerror}") from error


def read_manifest(output: Path) -> Manifest | None:
    """The manifest of `output`, `None` if it has none. Raises `FiqaError` if it is damaged."""
    path = manifest_path(output)
    try:
        values = json.loads(path.read_bytes())
        for name in ("model", "recogniser", "detector"):
            if values.get(name):
                values[name] = Artefact(**values[name])
        return Manifest(**values)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError) as error:
        raise FiqaError(f"{path} is no manifest of fiqa: remove it or the output") from error


def difference(before: Manifest, now: Manifest, but: Collection[str] = ()) -> str | None:
    """The first thing that two runs do not share although their rows depend on it, in words.

    How many images are taken at once, and by how many threads, is not such a thing; neither are
    those that `but` names.
    """
    old, new = _origins(before), _origins(now)
    for name in old | new:
        if name not in but and old.get(name) != new.get(name):
            return f"{name} {old.get(name)}, not {new.get(name)}"
    return None


def _origins(manifest: Manifest) -> dict[str, Any]:
    """What the rows depend on, by name."""
    values = json.loads(_dump(manifest))
    options = values["options"]
    models = ("model", "recogniser", "detector")
    # First what was asked for: a precision, for one, may differ because the models do.
    named = {"fiqa": manifest.version} | {name: options.get(name) for name in models}
    named |= {**options, **(options.get("settings") or {})}
    for name in models:
        named[f"{name} sha256"] = (values[name] or {}).get("sha256")
    named |= {name: values[name] for name in ("seed", "device", "precision", "engine")}
    return {name: value for name, value in named.items() if name not in _NO_ORIGINS}


def _dump(manifest: Manifest) -> str:
    return json.dumps(asdict(manifest), indent=2, ensure_ascii=False, default=str)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
