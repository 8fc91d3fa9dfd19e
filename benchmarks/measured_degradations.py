"""Whether the measures of `--details` see known degradations: Spearman's rank correlation of each.

    python benchmarks/measured_degradations.py CROPS [--count 100]

CROPS is a folder of aligned 112x112 crops, of which COUNT are taken evenly. Each is degraded in
`STEPS` strengths, and a measure is to fall or rise with them: for the degradations of the
training, for light from one side, and, found again by the built-in detector, for the crop turned
and reduced on a grey canvas. Yaw and pitch are those of insightface's mean face, turned in space
and seen in perspective, with landmarks that miss by 2 % of the distance between the eyes.

Prints the mean over the faces of the correlation within a face, in the direction expected, and
the correlation over all faces and strengths at once, where faces that differ from each other blur
the picture.
"""

import argparse
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation
from scipy.stats import spearmanr

from fiqa_cli.faces.alignment import CROP_SIZE
from fiqa_cli.faces.detector import Detector
from fiqa_cli.faces.face import Face
from fiqa_cli.measures.pose import pose
from fiqa_cli.measures.vector import measure
from fiqa_cli.sources.listing import expand
from fiqa_cli.training.degradations import SINGLE, Crop, to_crop
from fiqa_cli.zoo.registry import find
from fiqa_cli.zoo.store import locate

STEPS = 8
FALLS, RISES = -1, 1
CROP_MEASURES = (
    ("gaussian_blur", "sharpness", FALLS),
    ("motion_blur", "sharpness", FALLS),
    ("resample", "sharpness", FALLS),
    ("gaussian_noise", "noise", RISES),
    ("poisson_noise", "noise", RISES),
    ("dark", "luminance", FALLS),
    ("dark", "underexposed", RISES),
    ("bright", "luminance", RISES),
    ("bright", "overexposed", RISES),
    ("low_contrast", "contrast", FALLS),
    ("side_light", "mirror_symmetry", FALLS),
    ("half_covered", "mirror_symmetry", FALLS),
)
"""Degradation, measure, and which way it is to go as the degradation grows."""


@dataclass(frozen=True)
class Agreement:
    """How well a measure follows a degradation."""

    degradation: str
    measure: str
    within: float
    """Mean over faces of Spearman's correlation in the direction expected."""
    over_all: float
    """The correlation over all faces and strengths."""


def crop_agreements(crops: list[Crop]) -> Iterator[Agreement]:
    """How the measures of crops follow degradations of them."""
    degradations = SINGLE | {"side_light": side_light, "half_covered": half_covered}
    strengths = np.linspace(0, 1, STEPS)
    for kind, name, direction in CROP_MEASURES:
        series = []
        for number, crop in enumerate(crops):
            # The same draws at each strength: only the strength is to differ.
            copies = [
                degradations[kind](crop, strength, np.random.default_rng(number))
                for strength in strengths
            ]
            batch = torch.from_numpy(np.stack(copies)).permute(0, 3, 1, 2)
            series.append(measure(batch)[name].numpy())
        yield agreement(kind, name, strengths, np.stack(series), direction)


def side_light(crop: Crop, strength: float, rng: np.random.Generator) -> Crop:
    """Light from the side it comes from already: the other keeps 1 down to 0.05 of it."""
    ramp = np.linspace(1, 1 - 0.95 * strength, CROP_SIZE)[:, None]
    left, right = np.split(crop, 2, axis=1)
    return to_crop(crop * (ramp if left.mean() > right.mean() else ramp[::-1]))


def half_covered(crop: Crop, strength: float, rng: np.random.Generator) -> Crop:
    """Something black before the left part of the face, up to its middle."""
    covered = crop.copy()
    covered[:, : round(20 + 36 * strength)] = 0
    return covered


def photo_agreements(
    crops: list[Crop], detect: Callable[[Crop], list[Face]]
) -> Iterator[Agreement]:
    """How what is measured of landmarks follows turning and reducing the photo."""
    angles, sizes = np.linspace(-40, 40, STEPS), np.geomspace(1, 0.35, STEPS)
    rolls, distances = [], []
    for crop in crops:
        turned = [detect(on_canvas(crop, angle=angle)) for angle in angles]
        reduced = [detect(on_canvas(crop, size=size)) for size in sizes]
        rolls.append([pose(found[0].landmarks).roll if found else np.nan for found in turned])
        distances.append([found[0].inter_eye if found else np.nan for found in reduced])
    yield agreement("rotation", "roll", angles, np.array(rolls), RISES)
    yield agreement("reduction", "inter_eye", 1 / sizes, np.array(distances), FALLS)


def on_canvas(crop: Crop, angle: float = 0, size: float = 1) -> Crop:
    """A crop in the middle of a grey photo, turned clockwise by degrees and scaled."""
    side = 3 * CROP_SIZE
    matrix = cv2.getRotationMatrix2D((CROP_SIZE / 2, CROP_SIZE / 2), -angle, size)
    matrix[:, 2] += CROP_SIZE
    return np.asarray(cv2.warpAffine(crop, matrix, (side, side), borderValue=(128,) * 3), np.uint8)


def pose_agreements(count: int) -> Iterator[Agreement]:
    """How yaw and pitch follow those of a turned mean face, `count` times with other misses."""
    rng = np.random.default_rng(0)
    face = mean_face()
    angles = np.linspace(-50, 50, STEPS)
    for place, name in enumerate(("yaw", "pitch")):
        series = []
        for _ in range(count):
            turn = rng.uniform(-15, 15, 3)
            found = []
            for angle in angles:
                turn[place] = angle
                missed = rng.normal(0, 0.02, (5, 2))
                found.append(getattr(pose(projected(face, *turn) + missed), name))
            series.append(found)
        yield agreement("turned head", name, angles, np.array(series), RISES)


def mean_face() -> NDArray[np.float64]:
    """insightface's mean of 3-D faces: its five landmarks `[5, 3]`, eyes at a distance of 1."""
    spec = find_spec("insightface")
    assert spec is not None and spec.submodule_search_locations
    file = Path(spec.submodule_search_locations[0], "data", "objects", "meanshape_68.pkl")
    points = pickle.loads(file.read_bytes()).astype(np.float64)
    eyes = points[36:42].mean(0), points[42:48].mean(0)
    face = np.stack((*eyes, points[30], points[48], points[54])) * (1, 1, -1)
    centred: NDArray[np.float64] = (face - face.mean(0)) / np.linalg.norm(eyes[1] - eyes[0])
    return centred


def projected(
    face: NDArray[np.float64], yaw: float, pitch: float, roll: float, distance: float = 8
) -> NDArray[np.float64]:
    """Landmarks `[5, 2]` of a turned face in perspective; all in distances between the eyes.

    Angles in degrees, as those of `Pose`; `distance` of the camera.
    """
    # x to the right, y down, z away: turns by the rule of the right hand look down and left.
    turned = Rotation.from_euler("xyz", (-pitch, -yaw, roll), degrees=True).apply(face)
    return np.asarray(turned[:, :2] / (1 + turned[:, 2:] / distance))


def agreement(
    kind: str,
    name: str,
    strengths: NDArray[np.float64],
    series: NDArray[np.floating],
    direction: int,
) -> Agreement:
    """The agreement of measures `[faces, strengths]`; nan is left out."""
    within = [spearman(strengths, each) for each in series]
    pooled = spearman(np.tile(strengths, len(series)), series.ravel())
    return Agreement(kind, name, direction * float(np.nanmean(within)), direction * pooled)


def spearman(strengths: NDArray[np.float64], measured: NDArray[np.floating]) -> float:
    """Rank correlation; 0 where the measure stays the same, so that it sees nothing."""
    there = ~np.isnan(measured)
    if there.sum() < 3:
        return np.nan
    if np.ptp(measured[there]) == 0:
        return 0
    return float(spearmanr(strengths[there], measured[there]).statistic)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("crops", help="folder of aligned crops")
    parser.add_argument("--count", type=int, default=100, help="how many to take")
    options = parser.parse_args()
    paths = [entry.path for entry in expand([options.crops])]
    chosen = np.linspace(0, len(paths) - 1, min(options.count, len(paths))).round().astype(int)
    crops = [np.asarray(Image.open(paths[number]).convert("RGB")) for number in chosen]
    detector = Detector(locate(find("scrfd-n")))
    print(f"{len(crops)} crops, {STEPS} strengths of each degradation")
    print(f"{'degradation':<15} {'measure':<16} {'within a face':>13} {'over all':>9}")
    for source in (
        crop_agreements(crops),
        photo_agreements(crops, detector.detect),
        pose_agreements(len(crops)),
    ):
        for found in source:
            print(
                f"{found.degradation:<15} {found.measure:<16}"
                f" {found.within:>13.3f} {found.over_all:>9.3f}"
            )


if __name__ == "__main__":
    main()
