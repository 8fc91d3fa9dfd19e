"""Scoring photos: `fiqa score` against a naive loop, in one run.

    python benchmarks/photos.py PHOTOS [--count 400] [--model ediffiqa-n]

PHOTOS is a folder. Both sides are whole processes, start-up included, on the same files with the
same detector and weights, and write a CSV. The naive loop reads a photo with cv2, has insightface's
FaceAnalysis detect, aligns each face with insightface and gives it alone to the network, in eager
torch; what it loads may use all cores. They take turns, so that a change in the machine's load
meets both. Prints photos per second, the ratio of the median times, how many faces each side found
and, where both found the same number in a photo, how their qualities differ.
"""

import argparse
import contextlib
import csv
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from whole_runs import FIQA, listed, timed

DETECTOR = "scrfd-n"


def naive(listing: Path, model: str, output: Path) -> None:
    """The naive loop; runs in a process of its own."""
    import cv2
    import torch
    from insightface.app import FaceAnalysis
    from insightface.utils.face_align import norm_crop

    from fiqa_cli.zoo.builtin import weights_folder
    from fiqa_cli.zoo.load import load_network
    from fiqa_cli.zoo.registry import resolve
    from fiqa_cli.zoo.store import locate

    with contextlib.redirect_stdout(sys.stderr):
        package = str(weights_folder() / DETECTOR)
        app = FaceAnalysis(
            package, allowed_modules=["detection"], providers=["CPUExecutionProvider"]
        )
        app.prepare(ctx_id=-1, det_size=(640, 640))
    found = resolve(model)
    network = load_network(found, locate(found))
    with output.open("w", newline="") as file, torch.no_grad():
        writer = csv.writer(file)
        writer.writerow(["path", "quality"])
        for path in listing.read_text().splitlines():
            image = cv2.imread(path)
            for face in app.get(image):
                crop = norm_crop(image, face.kps)[:, :, ::-1].copy()
                tensor = torch.from_numpy(crop).permute(2, 0, 1).float().div(255)
                writer.writerow([path, network(((tensor - 0.5) / 0.5)[None])[1].item()])


def qualities(report: Path) -> dict[str, list[float]]:
    """The qualities of the faces of each photo, in order of falling detector score."""
    found = defaultdict(list)
    with report.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["quality"]:
                found[row["path"]].append(float(row["quality"]))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--model", default="ediffiqa-n")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        listing = listed(options.photos, options.count, Path(folder))
        reports = {name: Path(folder) / f"{name}.csv" for name in ("naive", "fiqa")}
        commands = {
            "naive": [sys.executable, __file__, "--naive", str(listing), options.model],
            "fiqa": [FIQA, "score", "-q", "-m", options.model, f"@{listing}"],
        }
        times = timed({k: [*v, "-o", str(reports[k])] for k, v in commands.items()}, options.rounds)
        plain, ours = (qualities(report) for report in reports.values())
    base = statistics.median(times["naive"])
    print(f"{options.count} photos, {options.model}, median of {options.rounds} rounds in turn")
    for name, found in (("naive", plain), ("fiqa", ours)):
        seconds = statistics.median(times[name])
        print(
            f"{name:6} {seconds:7.1f} s {options.count / seconds:7.1f} photos/s "
            f"ratio {base / seconds:5.2f} {sum(map(len, found.values()))} faces"
        )
    same = [p for p in plain if len(plain[p]) == len(ours[p])]
    gaps = np.abs(np.concatenate([np.subtract(plain[p], ours[p]) for p in same]))
    spread = np.std(np.concatenate([plain[p] for p in same]))
    at = ", ".join(f"{share:.0%} {np.quantile(gaps, share):.1e}" for share in (0.5, 0.95, 0.99, 1))
    print(f"difference of the quality over {len(gaps)} faces (deviation {spread:.2f}): {at}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--naive"]:
        naive(Path(sys.argv[2]), sys.argv[3], Path(sys.argv[5]))
    else:
        main()
