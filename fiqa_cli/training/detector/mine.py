"""Training photos on which a detector fails: the hard ones of the next phase."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from fiqa_cli.methods.device import cores
from fiqa_cli.training.detector.evaluate import SURE, WEAK, match_boxes, package_model
from fiqa_cli.training.detector.labels import Faces, detector, load_labels
from fiqa_cli.training.detector.photos import LONGEST, photo_names, read_photo, split_photos
from fiqa_cli.training.reporting import Advance, on_preparation, silent

SUSPECT = 0.35
"""Score from which a box without a face is a failure, before it becomes a false alarm."""


def fails(truth: Faces, found: Faces) -> bool:
    """Whether `found` misses a sure face, or has a suspect box where not even a doubtful one is.

    `found` holds boxes from score `SUSPECT`; a face is missed unless its box scores `SURE`.
    """
    sure = truth.select(truth.scores >= SURE)
    strong = found.select(found.scores >= SURE)
    missed = len(sure) - len(match_boxes(sure, strong))
    doubtful = truth.select(truth.scores >= WEAK)
    return missed > 0 or len(found) > len(match_boxes(doubtful, found))


def failures(
    folder: Path,
    names: Sequence[str],
    labels: Mapping[str, Faces],
    student: Path,
    advance: Advance = silent,
) -> list[str]:
    """Those of the photos `names` of `folder` on which the detector `student`, ONNX, fails."""
    detect = detector(student, SUSPECT)
    failed = []
    with ThreadPoolExecutor(cores()) as pool:
        found = pool.map(lambda name: detect(read_photo(folder / name, LONGEST)), names)
        for done, (name, faces) in enumerate(zip(names, found, strict=True), 1):
            if fails(labels[name], faces):
                failed.append(name)
            advance("mining", done, len(names))
    return failed


def main() -> None:
    """Write the names of the failures, one a line."""
    parser = argparse.ArgumentParser(
        description=main.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--labels", type=Path, required=True, help="what `labels` wrote")
    parser.add_argument("--student", type=Path, required=True, help="package folder or ONNX")
    parser.add_argument("--hard", type=Path, required=True, help="list to write")
    options = parser.parse_args()
    labels = load_labels(options.labels)
    names = split_photos(photo_names(options.photos)).training
    student = package_model(options.student)
    with on_preparation(Console(stderr=True)) as advance:
        failed = failures(options.photos, names, labels, student, advance)
    print(f"{len(failed)} of {len(names)} photos", file=sys.stderr)
    options.hard.write_text("".join(f"{name}\n" for name in failed))


if __name__ == "__main__":
    main()
