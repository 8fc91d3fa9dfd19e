"""What `--details` and `--jitter` cost: ratios of the times of whole runs, taken in turns.

    python benchmarks/details_cost.py IMAGES [--aligned] [--count 500] [--model ediffiqa-n]

IMAGES is a folder, of which COUNT are taken evenly. Every kind of run is done `ROUNDS` times; the
ratios are those of the medians: of the time that passed, and of processor time, which tells more on
a machine that does other things as well.
"""

import argparse
import time
from typing import Any

import numpy as np

from fiqa_cli.pipeline.scorer import ScoreOptions, Scorer
from fiqa_cli.sources.listing import expand

ROUNDS = 5
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "--details": {"details": True},
    "--jitter 5": {"jitter": 5},
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", help="folder")
    parser.add_argument("--aligned", action="store_true", help="they are crops")
    parser.add_argument("--count", type=int, default=500, help="how many to take")
    parser.add_argument("--model", default="ediffiqa-n")
    options = parser.parse_args()
    entries = list(expand([options.images]))
    chosen = np.linspace(0, len(entries) - 1, min(options.count, len(entries))).round().astype(int)
    entries = [entries[number] for number in chosen]
    scorers = {
        kind: Scorer(ScoreOptions(model=options.model, aligned=options.aligned, **more))
        for kind, more in KINDS.items()
    }
    clocks = (time.perf_counter, time.process_time)
    seconds: dict[str, list[list[float]]] = {kind: [] for kind in scorers}
    for _ in range(ROUNDS):
        for kind, scorer in scorers.items():
            begun = [clock() for clock in clocks]
            for _ in scorer.score(entries):
                pass
            seconds[kind].append([clock() - b for clock, b in zip(clocks, begun, strict=True)])
    medians = {kind: np.median(each, axis=0) for kind, each in seconds.items()}
    for kind, median in medians.items():
        passed, used = median / medians["plain"]
        print(
            f"{kind:<11} {len(entries) / median[0]:7.1f} images/s  {passed:5.2f} times plain,"
            f" processor time {used:5.2f} times"
        )


if __name__ == "__main__":
    main()
