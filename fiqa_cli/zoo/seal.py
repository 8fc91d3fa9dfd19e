"""Write SHA256SUMS of the built-in weights: `python -m fiqa_cli.zoo.seal` after each training."""

import sys
from pathlib import Path

from fiqa_cli.zoo.builtin import SUMS, weights_folder
from fiqa_cli.zoo.checksum import sha256_of
from fiqa_cli.zoo.registry import read_registry


def sealed_files(folder: Path) -> tuple[list[str], list[str]]:
    """The built-in files that are there and those that are not, relative to `folder`.

    Model cards and other notes are left out: they may be reworded without a new seal.
    """
    there: list[str] = []
    missing: list[str] = []
    for model in read_registry(folder).values():
        for artifact in model.artifacts if model.built_in else ():
            path = folder / artifact.file
            inside = path.rglob("*") if path.is_dir() else [path]
            files = [p for p in inside if p.is_file() and p.suffix != ".md"]
            there += [p.relative_to(folder).as_posix() for p in files]
            if not files:
                missing.append(artifact.file)
    return sorted(there), missing


def seal(folder: Path) -> list[str]:
    """Write the hashes of the built-in files; returns the artifacts that are missing."""
    there, missing = sealed_files(folder)
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in there]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    return missing


if __name__ == "__main__":
    absent = seal(weights_folder())
    for name in absent:
        print(f"not there: {name}", file=sys.stderr)
    sys.exit(1 if absent else 0)
