"""Scoring aligned crops: `fiqa score --aligned` against a plain reference loop, in one run.

    python benchmarks/aligned_crops.py CROPS [--count 10000] [--model ediffiqa-n]

CROPS is a folder of aligned 112x112 crops. Both sides are whole processes, start-up included, on
the same files with the same weights, and write a CSV. The reference is what FIQA repositories
ship: eager fp32, a DataLoader without workers, PIL resize, ToTensor, Normalize, batches of 128.
They take turns, so that a change in the machine's load meets both. Prints crops per second, the
ratio of the median times, and Spearman's rank correlation of the qualities; in fp32 and in the
precision that is the device's own.
"""

import argparse
import csv
import statistics
import sys
import tempfile
from pathlib import Path

from whole_runs import FIQA, listed, timed

BATCH = 128


def reference(listing: Path, model: str, output: Path) -> None:
    """The plain loop; runs in a process of its own."""
    import numpy as np
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset

    from fiqa_cli.zoo.load import load_network
    from fiqa_cli.zoo.registry import resolve
    from fiqa_cli.zoo.store import locate

    paths = listing.read_text().splitlines()
    bilinear = Image.Resampling.BILINEAR

    class Crops(Dataset[torch.Tensor]):
        def __len__(self) -> int:
            return len(paths)

        def __getitem__(self, place: int) -> torch.Tensor:
            image = Image.open(paths[place]).convert("RGB").resize((112, 112), bilinear)
            tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)
            return (tensor - 0.5) / 0.5

    found = resolve(model)
    network = load_network(found, locate(found))
    quality: list[float] = []
    with torch.no_grad():
        for batch in DataLoader(Crops(), batch_size=BATCH):
            quality += network(batch)[1].tolist()
    with output.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "quality"])
        writer.writerows(zip(paths, quality, strict=True))


def qualities(report: Path) -> list[float]:
    """The quality column of a report."""
    with report.open(newline="") as file:
        return [float(row["quality"]) for row in csv.DictReader(file)]


def scoring(listing: Path, model: str, precision: str) -> list[str]:
    """The command of fiqa, without its output."""
    return [FIQA, "score", "--aligned", "-q", "-m", model, "--precision", precision, f"@{listing}"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("crops", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--model", default="ediffiqa-n")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    from scipy.stats import spearmanr

    from fiqa_cli.methods.device import find_device
    from fiqa_cli.methods.precision import Precision, find_precision

    with tempfile.TemporaryDirectory() as folder:
        listing = listed(options.crops, options.count, Path(folder))
        precisions = sorted({"fp32", find_precision(Precision.AUTO, find_device())})
        reports = {name: Path(folder) / f"{name}.csv" for name in ("reference", *precisions)}
        commands = {
            "reference": [sys.executable, __file__, "--reference", str(listing), options.model],
            **{name: scoring(listing, options.model, name) for name in precisions},
        }
        times = timed({k: [*v, "-o", str(reports[k])] for k, v in commands.items()}, options.rounds)
        plain = qualities(reports["reference"])
        correlation = {
            name: spearmanr(qualities(reports[name]), plain).statistic for name in precisions
        }
    base = statistics.median(times["reference"])
    print(f"{options.count} crops, {options.model}, median of {options.rounds} rounds in turn")
    print(f"{'reference':10} {base:7.1f} s {options.count / base:7.1f} crops/s")
    for name, rank in correlation.items():
        seconds = statistics.median(times[name])
        print(
            f"{name:10} {seconds:7.1f} s {options.count / seconds:7.1f} crops/s "
            f"ratio {base / seconds:5.2f} spearman {rank:.6f}"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--reference"]:
        reference(Path(sys.argv[2]), sys.argv[3], Path(sys.argv[5]))
    else:
        main()
