"""How well a detector package agrees with the teacher on photos it never saw."""

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fiqa_cli.methods.device import cores
from fiqa_cli.training.detector.labels import Detect, Faces, Floats, detector, pairwise_iou
from fiqa_cli.training.detector.photos import Split, photo_names, read_photo, split_photos

SURE = 0.5
"""Teacher's score from which its box is a face."""
WEAK = 0.3
"""Teacher's score from which its box is at least doubtful."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of a student with its teacher at one threshold."""

    threshold: float
    photos: int
    teacher_faces: int
    recall: float
    """Share of the teacher's faces with a student box of IoU 0.5 or more, one to one."""
    recall_inside: float
    """The same for the teacher's faces that lie wholly inside the photo."""
    false_per_photo: float
    """Student boxes left without a teacher's face (score 0.5 or more)."""
    false_per_photo_weak: float
    """The same if the teacher's doubtful boxes (score 0.3 or more) count as faces."""
    landmark_error_median: float
    """Distance to the teacher's landmark, in inter-eye distances, over all landmarks found."""
    landmark_error_90: float
    """Its ninetieth percentile."""


def match_boxes(teacher: Faces, student: Faces, iou: float = 0.5) -> list[tuple[int, int]]:
    """Pair boxes one to one, highest overlap first, down to `iou`: (teacher, student) indices."""
    overlap = pairwise_iou(teacher.boxes, student.boxes)
    pairs = []
    while overlap.size and overlap.max() >= iou:
        i, j = (int(k) for k in np.unravel_index(overlap.argmax(), overlap.shape))
        pairs.append((i, j))
        overlap[i] = -1
        overlap[:, j] = -1
    return pairs


def landmark_errors(wanted: Floats, found: Floats) -> Floats:
    """Distances `[F, 5]` between landmarks `[F, 5, 2]`, in inter-eye distances of `wanted`."""
    eyes = np.linalg.norm(wanted[:, 0] - wanted[:, 1], axis=-1)
    error: Floats = np.linalg.norm(wanted - found, axis=-1) / np.maximum(eyes, 1e-6)[:, None]
    return error


def contained(boxes: Floats, height: int, width: int) -> list[bool]:
    """Whether each box `[F, 4]` lies wholly inside a photo of `height` × `width` pixels."""
    inside = (boxes >= 0) & (boxes <= np.array([width, height, width, height]))
    return [bool(row.all()) for row in inside]


def agreement(
    teacher: list[Faces], student: list[Faces], sizes: list[tuple[int, int]], threshold: float
) -> Agreement:
    """Compare photo by photo; `sizes` are (height, width) in pixels.

    `teacher` holds its faces from score `WEAK`, `student` at least those from `threshold`.
    """
    faces = inside = hits = hits_inside = false = false_weak = 0
    errors = []
    for truth, found, (height, width) in zip(teacher, student, sizes, strict=True):
        sure = truth.select(truth.scores >= SURE)
        found = found.select(found.scores >= threshold)
        within = contained(sure.boxes, height, width)
        pairs = match_boxes(sure, found)
        faces += len(sure)
        inside += sum(within)
        hits += len(pairs)
        hits_inside += sum(within[i] for i, _ in pairs)
        false += len(found) - len(pairs)
        false_weak += len(found) - len(match_boxes(truth, found))
        if pairs:
            i, j = (list(side) for side in zip(*pairs, strict=True))
            errors.append(landmark_errors(sure.landmarks[i], found.landmarks[j]))
    every = np.concatenate(errors) if errors else np.full((1, 5), np.nan)
    return Agreement(
        threshold,
        len(teacher),
        faces,
        hits / max(1, faces),
        hits_inside / max(1, inside),
        false / len(teacher),
        false_weak / len(teacher),
        float(np.median(every)),
        float(np.percentile(every, 90)),
    )


def compare(
    folder: Path,
    names: Sequence[str],
    find_truth: Detect,
    find_faces: Detect,
    thresholds: Sequence[float],
) -> list[Agreement]:
    """Agreement of two detectors on the photos `names` of `folder`, for each of the thresholds."""

    def judge(name: str) -> tuple[Faces, Faces, tuple[int, int]]:
        photo = read_photo(folder / name)
        return find_truth(photo), find_faces(photo), (photo.shape[0], photo.shape[1])

    with ThreadPoolExecutor(cores()) as pool:
        teacher, student, sizes = (list(each) for each in zip(*pool.map(judge, names), strict=True))
    return [agreement(teacher, student, sizes, threshold) for threshold in thresholds]


def operating_point(found: Sequence[Agreement], most_false: float) -> float:
    """The least threshold with at most `most_false` false boxes a photo, else the highest one."""
    fit = [each.threshold for each in found if each.false_per_photo <= most_false]
    return min(fit, default=max(each.threshold for each in found))


def package_model(package: Path) -> Path:
    """Return the ONNX file of a package folder, or the file itself."""
    return next(iter(sorted(package.glob("*.onnx"))), package) if package.is_dir() else package


def main() -> None:
    """Print the student's agreement with the teacher, one JSON line per threshold."""
    parser = argparse.ArgumentParser(
        description=main.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--teacher", type=Path, required=True, help="teacher detector, ONNX")
    parser.add_argument("--student", type=Path, required=True, help="package folder or ONNX")
    parser.add_argument("--part", choices=Split._fields, default="held_out")
    parser.add_argument("--photos-at-most", type=int, help="of the part, taken evenly")
    parser.add_argument("--thresholds", type=float, nargs="+", default=[0.4, 0.5, 0.6])
    parser.add_argument("--size", type=int, default=640, help="detection size in pixels")
    options = parser.parse_args()

    names = getattr(split_photos(photo_names(options.photos)), options.part)
    names = names[:: max(1, len(names) // (options.photos_at_most or len(names)))]
    find_truth = detector(options.teacher, WEAK)
    find_faces = detector(package_model(options.student), min(options.thresholds), options.size)
    for found in compare(options.photos, names, find_truth, find_faces, options.thresholds):
        print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
