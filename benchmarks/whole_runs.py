"""What the benchmarks of whole runs share: lists of images, and processes that take turns."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from fiqa_cli.sources.listing import expand

FIQA = str(Path(sys.executable).with_name("fiqa"))


def listed(images: Path, count: int, folder: Path) -> Path:
    """A list of `count` of the `images`, in `folder`; they are repeated if there are fewer."""
    paths = [entry.path for entry in expand([str(images.resolve())])]
    listing = folder / f"list-{count}"
    with listing.open("w") as file:
        for number in range(count):
            file.write(f"{paths[number % len(paths)]}\n")
    return listing


def timed(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[float]]:
    """Seconds that each command takes from start to end, `rounds` times in turn."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            begun = time.perf_counter()
            # Some images fail: an exit code of 1 is none of a benchmark's business.
            if subprocess.run(command).returncode > 1:
                sys.exit(f"{name} failed")
            times[name].append(time.perf_counter() - begun)
            print(f"{name:10} {times[name][-1]:7.1f} s", file=sys.stderr)
    return times
