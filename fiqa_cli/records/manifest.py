"""The manifest beside an output file: what made it, and what came of it."""

import json
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fiqa_cli import __version__
from fiqa_cli.errors import FiqaError


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
    counts: dict[str, int] = field(default_factory=dict)
    """Rows by status for `fiqa score`; rows read and kept for `fiqa filter`."""
    version: str = __version__
    command: list[str] = field(default_factory=lambda: list(sys.argv))
    started: str = field(default_factory=lambda: _now())
    """UTC, ISO 8601."""
    ended: str | None = None
    """`None` if the run never came to its end."""

    def finish(self, counts: dict[str, int]) -> None:
        """Note the counts and the time."""
        self.counts = dict(counts)
        self.ended = _now()


def manifest_path(output: Path) -> Path:
    """Where the manifest of `output` lies: `<output>.manifest.json`."""
    return output.with_name(f"{output.name}.manifest.json")


def write_manifest(output: Path, manifest: Manifest) -> None:
    """Write the manifest of `output` at once, or not at all. Raises `FiqaError` if it cannot."""
    path = manifest_path(output)
    part = path.with_name(f".{path.name}.part")
    text = json.dumps(asdict(manifest), indent=2, ensure_ascii=False, default=str)
    try:
        # Arguments need not be UTF-8; an escaped surrogate is what JSON calls it.
        part.write_bytes(text.encode("utf-8", "backslashreplace") + b"\n")
        part.replace(path)
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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
