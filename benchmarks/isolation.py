"""What it costs to decode images in a process of its own, in processor time.

    python benchmarks/isolation.py FOLDER [FOLDER ...] [--count 2000] [--rounds 3]

Decodes the images of each folder in this process and in another, one at a time and in turn.
Prints the medians of the rounds, in milliseconds of processor time for an image: in this process
alone; isolated, here and there; and what isolation adds.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from fiqa_cli.sources.decode import decode_reduced
from fiqa_cli.sources.isolation import GIGABYTES, SECONDS, IsolatedDecoder, Limits
from fiqa_cli.sources.listing import expand


def spent(decode: Callable[[str, None], object], paths: list[str]) -> float:
    """Milliseconds of this process for an image."""
    begun = time.process_time()
    for path in paths:
        decode(path, None)
    return (time.process_time() - begun) / len(paths) * 1e3


def spent_by_children() -> float:
    """Milliseconds of the processes below this one, as long as they live."""
    pids = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        pids += (task / "children").read_text().split()
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in set(pids)]
    ticks = sum(int(fields[11]) + int(fields[12]) for fields in stats)
    return ticks / os.sysconf("SC_CLK_TCK") * 1e3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    decoder = IsolatedDecoder(Limits(SECONDS, GIGABYTES))
    for folder in options.folders:
        paths = [entry.path for entry in expand([str(folder)])]
        paths = (paths * -(-options.count // len(paths)))[: options.count]
        pixels = statistics.fmean(
            found.width * found.height
            for found in (decoder.decode_reduced(path, None) for path in paths[:200])
        )
        rounds = []
        for _ in range(options.rounds):
            plain = spent(decode_reduced, paths)
            before = spent_by_children()
            here = spent(decoder.decode_reduced, paths)
            there = (spent_by_children() - before) / len(paths)
            rounds.append((plain, here, there, here + there - plain))
        plain, here, there, extra = map(statistics.median, zip(*rounds, strict=True))
        print(
            f"{len(paths)} images of {pixels / 1e6:.2f} megapixels: {plain:.3f} ms; "
            f"isolated {here:.3f} here and {there:.3f} there: {extra:+.3f}"
        )


if __name__ == "__main__":
    main()
