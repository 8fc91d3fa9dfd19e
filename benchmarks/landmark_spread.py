"""How much a detector's landmarks move when nothing of the face does: the ground of `--jitter`.

    python benchmarks/landmark_spread.py PHOTOS [--count 150] [--detector scrfd-n]

Faces are detected in COUNT photos and again in copies that are mirrored, reduced to 0.8 of their
size, or moved by 7 pixels; their landmarks are brought back and compared. Prints the standard
deviation of a coordinate as a share of the distance between the eyes: that of a difference between
two detections, divided by √2, which is that of one. The median over faces is given as well,
because a few faces that are hard to see make the deviation.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiqa_cli.faces.detector import Detector
from fiqa_cli.faces.face import Face
from fiqa_cli.pipeline.crop_source import find_detector
from fiqa_cli.sources.decode import UnreadableImage, decode
from fiqa_cli.sources.listing import expand

MIRRORED = [1, 0, 2, 4, 3]
SMALLER, MOVED = 0.8, 7


def copies(
    image: NDArray[np.uint8], detector: Detector
) -> Iterator[tuple[str, list[NDArray[np.floating]]]]:
    """Each kind of copy, and the landmarks found in it in the coordinates of `image`."""
    height, width = image.shape[:2]
    found = detector.detect(np.ascontiguousarray(image[:, ::-1]))
    yield "mirrored", [((width - 1, 0) - f.landmarks * (1, -1))[MIRRORED] for f in found]
    size = (round(width * SMALLER), round(height * SMALLER))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    scale = np.divide((width, height), size)
    yield (
        "reduced",
        [(f.landmarks + 0.5) * scale - 0.5 for f in detector.detect(small)],
    )
    moved = np.pad(image, ((MOVED, 0), (MOVED, 0), (0, 0)), mode="edge")
    yield "moved", [f.landmarks - MOVED for f in detector.detect(moved)]


def difference(face: Face, others: list[NDArray[np.floating]]) -> NDArray[np.floating] | None:
    """How far the same face's landmarks are away, `[5, 2]` in distances between the eyes."""
    gaps = [(other - face.landmarks) / face.inter_eye for other in others]
    nearest = min(gaps, key=lambda gap: float(np.abs(gap).mean()), default=None)
    return None if nearest is None or np.abs(nearest).mean() > 0.3 else nearest


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", help="folder of photos")
    parser.add_argument("--count", type=int, default=150, help="how many to take")
    parser.add_argument("--detector", default="scrfd-n", help="name or folder")
    options = parser.parse_args()
    detector = Detector(find_detector(options.detector))
    paths = [entry.path for entry in expand([options.photos])]
    chosen = np.linspace(0, len(paths) - 1, min(options.count, len(paths))).round().astype(int)
    gaps: dict[str, list[NDArray[np.floating]]] = {}
    for number in chosen:
        try:
            image = decode(paths[number])
        except UnreadableImage:
            continue
        faces = detector.detect(image)
        for kind, others in copies(image, detector):
            found = [difference(face, others) for face in faces]
            gaps.setdefault(kind, []).extend(gap for gap in found if gap is not None)
    for kind, each in gaps.items():
        of_faces = np.sqrt(np.square(np.array(each)).mean((1, 2)) / 2)
        print(
            f"{kind:<10} {len(each):>5} faces  deviation {np.sqrt((of_faces**2).mean()):.4f}"
            f"  median over faces {np.median(of_faces):.4f}"
        )


if __name__ == "__main__":
    main()
