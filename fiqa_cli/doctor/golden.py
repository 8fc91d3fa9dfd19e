"""What the self-test is to come to: `python -m fiqa_cli.doctor.golden` after each training."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from fiqa_cli.zoo.builtin import weights_folder
from fiqa_cli.zoo.checksum import write_json

FILE = "golden.json"


@dataclass(frozen=True)
class Golden:
    """Qualities of the default models in fp32 on a CPU."""

    sha256: dict[str, str]
    """Of the weights that gave them, by model."""
    crop: float
    photo: float


def read_golden() -> Golden:
    """The committed values."""
    return Golden(**json.loads((weights_folder() / FILE).read_text(encoding="utf-8")))


def write_golden(folder: Path) -> None:
    """Score, and write what comes of it into `folder`."""
    from fiqa_cli.doctor.self_test import ASTRONAUT, crop_options, photo_options, quality_of
    from fiqa_cli.samples import picture_file
    from fiqa_cli.zoo.registry import find
    from fiqa_cli.zoo.store import verify

    photo = picture_file(ASTRONAUT)
    used = (photo_options().model, photo_options().detector)
    hashes = {name: next(iter(verify(find(name)))).sha256 for name in used}
    qualities = (quality_of(photo, options()) for options in (crop_options, photo_options))
    write_json(folder / FILE, asdict(Golden(hashes, *(round(each, 5) for each in qualities))))


if __name__ == "__main__":
    write_golden(weights_folder())
