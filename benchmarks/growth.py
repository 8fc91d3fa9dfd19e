"""How the speed of `fiqa score` grows with cores, with workers and with the number of images.

    python benchmarks/growth.py CROPS --aligned [--counts 500 2000 8000]
    python benchmarks/growth.py PHOTOS --counts 100 400

Whole processes, start-up included. Prints images per second: over the largest number of images
for 1, 2, 4 … cores that the process may use and for 1, 2, 4 … workers on all of them, then for each
number of images on all cores.
"""

import argparse
import os
import tempfile
from pathlib import Path

from whole_runs import FIQA, listed, timed

from fiqa_cli.methods.device import cores


def powers(most: int) -> list[int]:
    """1, 2, 4 … up to `most`, and `most` itself."""
    return sorted({most, *(1 << power for power in range(most.bit_length()) if 1 << power < most)})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("images", type=Path)
    parser.add_argument("--aligned", action="store_true")
    parser.add_argument("--counts", type=int, nargs="+", default=[500, 2000, 8000])
    parser.add_argument("--model", default="ediffiqa-n")
    options = parser.parse_args()

    fiqa = [FIQA, "score", "-q", "-m", options.model, *(["--aligned"] * options.aligned)]
    places = sorted(os.sched_getaffinity(0))
    most = max(options.counts)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def speed(told: str, count: int, *more: str) -> None:
            output = str(folder / "rows.csv")
            listing = listed(options.images, count, folder)
            ((seconds,),) = timed({told: [*fiqa, *more, f"@{listing}", "-o", output]}, 1).values()
            print(f"{told:12} {count / seconds:8.1f} images/s")

        for count in powers(cores()):
            os.sched_setaffinity(0, places[:count])
            speed(f"{count} cores", most)
        for count in powers(2 * cores()):
            speed(f"{count} workers", most, "--workers", str(count))
        for count in options.counts:
            speed(f"{count} images", count)


if __name__ == "__main__":
    main()
