"""What a detector package finds in fiqa's sample photos and their graded copies."""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from fiqa_cli.samples import write_samples
from fiqa_cli.training.detector.evaluate import match_boxes, package_model
from fiqa_cli.training.detector.labels import Faces, detector
from fiqa_cli.training.detector.photos import read_photo

FACES = {"group": 6, "astronaut": 1, "cat": 0}
"""Faces in each sample and in its copies."""


def check_samples(student: Path, threshold: float) -> list[dict[str, str | int | float]]:
    """Count the faces from `threshold` in each sample and give the scores on either side.

    The faces of a sample are where the student is surest in the sample as it is; a copy's box
    belongs to one of them from an IoU of 0.5. `least` is the score of the weakest of them (0 if
    missed, 1 if there is none), `most_false` that of the strongest other box.
    """
    detect = detector(package_model(student), threshold=0.01)
    rows: list[dict[str, str | int | float]] = []
    originals: dict[str, Faces] = {}
    with tempfile.TemporaryDirectory() as folder:
        for path in write_samples(Path(folder)):
            found = detect(read_photo(path))
            name = path.stem.split("-")[0]
            if name not in originals:
                rank = np.argsort(np.argsort(-found.scores))
                originals[name] = found.select(rank < FACES[name])
            hits = [student for _, student in match_boxes(originals[name], found)]
            scores = [*found.scores[hits].tolist(), *[0.0] * (FACES[name] - len(hits))]
            others = np.delete(found.scores, hits).tolist()
            rows.append(
                {
                    "sample": path.stem,
                    "faces": FACES[name],
                    "found": sum(score >= threshold for score in scores),
                    "false": sum(score >= threshold for score in others),
                    "least": round(min(scores, default=1.0), 3),
                    "most_false": round(max(others, default=0.0), 3),
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
