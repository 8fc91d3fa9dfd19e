"""What a detector package finds in fiqa's sample photos and their graded copies."""

import argparse
import json
import tempfile
from pathlib import Path

from fiqa_cli.samples import write_samples
from fiqa_cli.training.detector.evaluate import package_model
from fiqa_cli.training.detector.labels import detector
from fiqa_cli.training.detector.photos import read_photo

FACES = {"group": 6, "astronaut": 1, "cat": 0}
"""Faces in each sample and in its copies."""


def check_samples(student: Path, threshold: float) -> list[dict[str, str | int | float]]:
    """Count the faces from `threshold` in each sample and give the scores on either side.

    `least` is the score of the weakest face that there is (0 if missed), `most_false` that of
    the strongest box beyond their number.
    """
    detect = detector(package_model(student), threshold=0.01)
    rows: list[dict[str, str | int | float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for path in write_samples(Path(folder)):
            scores = sorted(detect(read_photo(path)).scores.tolist(), reverse=True)
            scores = [round(score, 3) for score in scores] + [0.0] * 7
            there = FACES[path.stem.split("-")[0]]
            rows.append(
                {
                    "sample": path.stem,
                    "faces": there,
                    "found": sum(score >= threshold for score in scores),
                    "least": scores[there - 1] if there else 1.0,
                    "most_false": scores[there],
                }
            )
    return rows


def main() -> None:
    """Print one JSON line per sample photo."""
    parser = argparse.ArgumentParser(
        description=main.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--student", type=Path, required=True, help="package folder or ONNX")
    parser.add_argument("--threshold", type=float, default=0.5, help="least score of a face")
    options = parser.parse_args()
    for row in check_samples(options.student, options.threshold):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
