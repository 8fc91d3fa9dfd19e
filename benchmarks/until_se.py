"""What `--until-se` saves of DifFIQA's passes, and what it does to the ranking, in one run.

    python benchmarks/until_se.py CROPS [--count 500] [--until-se 0.003] [--model diffiqa-n]

CROPS is a folder of aligned 112x112 crops, of which COUNT are taken evenly. Prints the share of
the copies saved, Spearman's rank correlation to the run with all ten copies, and the times.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.stats import spearmanr
from torch import Tensor

from fiqa_cli.methods.catalogue import load_method
from fiqa_cli.methods.device import find_device
from fiqa_cli.methods.settings import Settings
from fiqa_cli.sources.listing import expand


def scored(crops: Tensor, model: str, settings: Settings) -> tuple[Tensor, Tensor, float]:
    """Quality `[N]`, copies taken `[N]`, and seconds."""
    method = load_method(model, find_device(), settings=settings).method
    begun = time.perf_counter()
    batches = [
        method.score(crops[first : first + method.batch_size])
        for first in range(0, len(crops), method.batch_size)
    ]
    seconds = time.perf_counter() - begun
    quality = torch.cat([batch.quality for batch in batches])
    return quality, torch.cat([batch.components["copies"] for batch in batches]), seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("crops", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--until-se", type=float, default=0.003)
    parser.add_argument("--model", default="diffiqa-n")
    options = parser.parse_args()

    paths = [entry.path for entry in expand([str(options.crops)])]
    places = np.linspace(0, len(paths) - 1, min(options.count, len(paths))).round().astype(int)
    images = np.stack([np.asarray(Image.open(paths[i]).convert("RGB")) for i in places])
    crops = torch.from_numpy(images).permute(0, 3, 1, 2)
    full, all_copies, slow = scored(crops, options.model, Settings())
    early, taken, quick = scored(crops, options.model, Settings(until_se=options.until_se))
    saved = 1 - float(taken.sum() / all_copies.sum())
    print(
        f"{len(crops)} crops, {options.model}, standard error {options.until_se}: "
        f"{saved:.1%} of the copies saved, spearman {spearmanr(early, full).statistic:.4f}, "
        f"{slow:.1f} s before, {quick:.1f} s after, ratio {slow / quick:.2f}"
    )


if __name__ == "__main__":
    main()
