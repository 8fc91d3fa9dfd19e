"""Where faces are in photos: what the teacher finds in each one and in its mirror image."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.faces.detector import load_model
from fiqa_cli.methods.device import cores
from fiqa_cli.training.detector.photos import LONGEST, read_photo
from fiqa_cli.training.reporting import Advance, silent

Floats = NDArray[np.float32]

LANDMARK_MIRROR = (1, 0, 2, 4, 3)
"""Order of the landmarks (eyes, nose, mouth corners) after a horizontal flip."""


@dataclass(frozen=True)
class Faces:
    """The faces of one photo, in pixels of that photo."""

    boxes: Floats
    """`[F, 4]`: x1, y1, x2, y2."""
    landmarks: Floats
    """`[F, 5, 2]`: eyes, nose, mouth corners, left first as seen in the picture."""
    scores: Floats
    """`[F]` in [0, 1]."""

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, mask: NDArray[np.bool_]) -> "Faces":
        """Keep the faces where `mask [F]` is true."""
        return Faces(self.boxes[mask], self.landmarks[mask], self.scores[mask])


Detect = Callable[[NDArray[np.uint8]], Faces]


def detector(model: Path, threshold: float, size: int = 640) -> Detect:
    """Load an ONNX detector through insightface; the result maps a BGR photo to its faces.

    Faces are found at `size × size` (letterboxed) with scores of at least `threshold`. Several
    threads may call it; each call computes in one. Raises `FiqaError` if it is no such detector.
    """
    net = load_model(model)
    net.prepare(-1, input_size=(size, size), det_thresh=threshold)

    def detect(photo: NDArray[np.uint8]) -> Faces:
        found, landmarks = net.detect(photo)
        return Faces(found[:, :4], landmarks.astype(np.float32), found[:, 4])

    return detect


def mirror(faces: Faces, width: int) -> Faces:
    """Map faces into the horizontally flipped photo of `width` pixels."""
    boxes = faces.boxes[:, [2, 1, 0, 3]].copy()
    boxes[:, [0, 2]] = width - boxes[:, [0, 2]]
    landmarks = faces.landmarks[:, LANDMARK_MIRROR].copy()
    landmarks[..., 0] = width - landmarks[..., 0]
    return Faces(boxes, landmarks, faces.scores)


def pairwise_iou(first: Floats, second: Floats) -> Floats:
    """Intersection over union `[A, B]` of boxes `[A, 4]` and `[B, 4]` (x1, y1, x2, y2)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    overlap = np.clip(high - low, 0, None).prod(-1)
    area_first = (first[:, 2:] - first[:, :2]).prod(-1)
    area_second = (second[:, 2:] - second[:, :2]).prod(-1)
    iou: Floats = overlap / np.maximum(area_first[:, None] + area_second - overlap, 1e-9)
    return iou


def merge_views(first: Faces, second: Faces, iou: float = 0.5) -> Faces:
    """Average the faces that two views agree on; halve the score of those in one view only.

    The mean of two views has less jitter than either, and a false alarm rarely occurs in both.
    """
    overlap = pairwise_iou(first.boxes, second.boxes)
    left = np.ones(len(second), bool)
    boxes, landmarks, scores = [], [], []
    for i in np.argsort(-first.scores):
        candidates = np.where(left, overlap[i], -1.0)
        j = int(candidates.argmax()) if len(candidates) else -1
        if j >= 0 and candidates[j] >= iou:
            left[j] = False
            boxes.append((first.boxes[i] + second.boxes[j]) / 2)
            landmarks.append((first.landmarks[i] + second.landmarks[j]) / 2)
            scores.append((first.scores[i] + second.scores[j]) / 2)
        else:
            boxes.append(first.boxes[i])
            landmarks.append(first.landmarks[i])
            scores.append(first.scores[i] / 2)
    rest = second.select(left)
    return Faces(
        np.asarray([*boxes, *rest.boxes], np.float32).reshape(-1, 4),
        np.asarray([*landmarks, *rest.landmarks], np.float32).reshape(-1, 5, 2),
        np.asarray([*scores, *(rest.scores / 2)], np.float32),
    )


def label_photo(photo: NDArray[np.uint8], detect: Detect) -> Faces:
    """Label one BGR photo from the teacher's views of it and of its mirror image."""
    plain = detect(photo)
    flipped = detect(np.ascontiguousarray(photo[:, ::-1]))
    return merge_views(plain, mirror(flipped, photo.shape[1]))


def save_labels(path: Path, labels: dict[str, Faces]) -> None:
    """Write the faces by photo name to an `.npz` file, atomically."""
    faces = list(labels.values())
    part = path.with_suffix(".part.npz")
    np.savez(
        part,
        names=np.array(list(labels)),
        counts=np.array([len(f) for f in faces]),
        boxes=np.concatenate([f.boxes for f in faces]),
        landmarks=np.concatenate([f.landmarks for f in faces]),
        scores=np.concatenate([f.scores for f in faces]),
    )
    part.replace(path)


def load_labels(path: Path) -> dict[str, Faces]:
    """Read what `save_labels` wrote."""
    with np.load(path) as stored:
        ends = stored["counts"].cumsum()[:-1]
        columns = [np.split(stored[key], ends) for key in ("boxes", "landmarks", "scores")]
        names = stored["names"].tolist()
    return {name: Faces(*row) for name, *row in zip(names, *columns, strict=True)}


LEAST_LABEL = 0.15
"""Teacher's score from which a box is stored."""


def label_photos(
    folder: Path,
    names: Sequence[str],
    teacher: Path,
    threshold: float = LEAST_LABEL,
    advance: Advance = silent,
) -> dict[str, Faces]:
    """The teacher's faces scored above `threshold` in the named photos of `folder`, as trained on.

    Boxes and landmarks are in pixels of the photo reduced to `LONGEST`. Photos that cannot be
    decoded are left out.
    """
    detect = detector(teacher, threshold)

    def label(name: str) -> Faces | None:
        try:
            photo = read_photo(folder / name, LONGEST)
        except FiqaError:
            return None
        return label_photo(photo, detect)

    labels = {}
    with ThreadPoolExecutor(cores()) as pool:
        for done, faces in enumerate(pool.map(label, names), 1):
            if faces is not None:
                labels[names[done - 1]] = faces
            advance("labelling", done, len(names))
    return labels
