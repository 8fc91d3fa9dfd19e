"""What it costs to decode in processes of their own: `fiqa score` with and without, in one run.

    python benchmarks/isolation.py CROPS PHOTOS [--crops 2000] [--photos 200] [--rounds 3]

CROPS is a folder of aligned crops, PHOTOS one of photos. Both sides are whole processes on the
same files and take turns; the side without decodes in its own threads. Prints wall and processor
time of an image (medians; the time of a run of one image is taken away) and their ratios.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path


def without() -> None:
    """Run the command line with decoding in its own threads."""
    from fiqa_cli.cli.main import main
    from fiqa_cli.sources.decode import decode_reduced
    from fiqa_cli.sources.isolation import IsolatedDecoder

    IsolatedDecoder.decode_reduced = (  # type: ignore[method-assign]
        lambda self, image, at_least: decode_reduced(image, at_least)
    )
    main()


def cost(command: list[str]) -> tuple[float, float]:
    """Seconds of wall and of processor time, those of grandchildren included."""
    before, begun = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - begun, os.times()
    return wall, sum(after[2:4]) - sum(before[2:4])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs=2, metavar="FOLDER")
    parser.add_argument("--crops", type=int, default=2000)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    from fiqa_cli.sources.listing import expand

    sides = {
        "isolated": [str(Path(sys.executable).with_name("fiqa"))],
        "plain": [sys.executable, __file__, "--without"],
    }
    kinds = (("crops", options.crops, ["--aligned"]), ("photos", options.photos, []))
    with tempfile.TemporaryDirectory() as scratch:
        for folder, (kind, count, more) in zip(options.folders, kinds, strict=True):
            paths = [str(Path(entry.path).absolute()) for entry in expand([str(folder)])]
            paths = (paths * -(-count // len(paths)))[:count]
            listing, single = Path(scratch) / "all", Path(scratch) / "one"
            listing.write_text("\n".join(paths) + "\n")
            single.write_text(paths[0] + "\n")
            costs: dict[tuple[str, Path], list[tuple[float, float]]] = {}
            for _, (side, command), images in product(
                range(options.rounds), sides.items(), (single, listing)
            ):
                line = [*command, "score", "-q", *more, f"@{images}"]
                costs.setdefault((side, images), []).append(cost(line))
            each = {}
            for side in sides:
                alone, whole = (
                    [statistics.median(values) for values in zip(*costs[side, images], strict=True)]
                    for images in (single, listing)
                )
                each[side] = [
                    (a - b) / (count - 1) * 1e3 for a, b in zip(whole, alone, strict=True)
                ]
                wall, cpu = each[side]
                print(
                    f"{count} {kind}, {side:8}: {wall:6.2f} ms wall, {cpu:6.2f} ms processor each"
                )
            wall, cpu = (a / b for a, b in zip(each["isolated"], each["plain"], strict=True))
            print(f"{kind}: isolated/plain {wall:.3f} wall, {cpu:.3f} processor")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--without"]:
        del sys.argv[1]
        without()
    else:
        main()
