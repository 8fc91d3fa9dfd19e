"""Training photos on which a detector fails: the hard ones of the next phase."""

import argparse
import sys
from pathlib import Path

import numpy as np

from fiqa_cli.training.detector.evaluate import SURE, WEAK, match_boxes, package_model
from fiqa_cli.training.detector.labels import Faces, detector, load_labels
from fiqa_cli.training.detector.photos import photo_names, read_photo, split_photos

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


def main() -> None:
    """Write the names of the failures, one a line."""
    from rich.console import Console
    from rich.progress import track

    parser = argparse.ArgumentParser(
        description=main.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--labels", type=Path, required=True, help="what `labels` wrote")
    parser.add_argument("--student", type=Path, required=True, help="package folder or ONNX")
    parser.add_argument("--hard", type=Path, required=True, help="list to write")
    options = parser.parse_args()
    labels = load_labels(options.labels)
    find_faces = detector(package_model(options.student), SUSPECT)
    names = split_photos(photo_names(options.photos)).training
    failed = np.array(
        [
            fails(labels[name], find_faces(read_photo(options.photos / name)))
            for name in track(names, "mining", console=Console(stderr=True))
        ]
    )
    print(f"{failed.sum()} of {len(names)} photos", file=sys.stderr)
    options.hard.write_text("".join(f"{names[i]}\n" for i in np.flatnonzero(failed)))


if __name__ == "__main__":
    main()
