"""The folder of registry data and built-in weights, installed or in a source checkout."""

import re
from pathlib import Path

from fiqa_cli.errors import FiqaError

SUMS = "SHA256SUMS"


def weights_folder() -> Path:
    """The folder that holds `registry.toml`. Raises `FiqaError` if the installation lacks it."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "weights", package.parent / "weights"):
        if (folder / "registry.toml").is_file():
            return folder
    raise FiqaError("this installation lacks its weights folder: reinstall fiqa")


def read_sums(folder: Path) -> dict[str, str]:
    """The sha256 of each built-in file by its path under `folder`, as `sha256sum` writes it."""
    file = folder / SUMS
    if not file.is_file():
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    pairs = (re.split(r" [ *]", line, maxsplit=1) for line in lines)
    return {name: digest for digest, name in pairs}
