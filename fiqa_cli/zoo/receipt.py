"""What was put into a model's cache folder: hash, size and origin of each file."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from fiqa_cli.zoo.checksum import write_json

FILE = "receipt.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file as it arrived."""

    sha256: str
    bytes: int
    origin: str
    """Address it was downloaded from, or path it was imported from."""
    published: bool
    """Whether the hash is the published one; otherwise it was recorded on first use."""
    imported: bool
    time: str


def entry(file: Path, sha256: str, origin: str, *, published: bool, imported: bool) -> Entry:
    """The entry of a file that arrived just now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Entry(sha256, file.stat().st_size, origin, published, imported, now)


def read_receipt(folder: Path) -> dict[str, Entry]:
    """Entries by file name; empty where there is no receipt or not a readable one."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return {name: Entry(**fields) for name, fields in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_receipt(folder: Path, entries: dict[str, Entry]) -> None:
    """Add `entries` to the receipt of `folder`."""
    merged = {**read_receipt(folder), **entries}
    write_json(folder / FILE, {name: asdict(value) for name, value in merged.items()})
