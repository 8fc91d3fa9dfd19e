"""Time and peak memory of `fiqa filter` on a million CSV rows, start-up included.

    python benchmarks/filter_rows.py [--rows 1000000]

Each criterion runs in a process of its own, from a file to a file; the figures are those of that
process (wall time, and peak resident memory as the kernel counted it).
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fiqa_cli.records.row import Row
from fiqa_cli.records.writers import open_writer

CASES = {
    "--min": ["--min", "0.5"],
    "--min --status": ["--min", "0.5", "--status", "ok"],
    "--top": ["--top", "1000"],
    "--keep": ["--keep", "0.8"],
    "--per-folder": ["--per-folder", "5"],
    "--min --paths": ["--min", "0.5", "--paths"],
}


def rows(count: int) -> Iterator[Row]:
    """Rows as a report of many identities has them; every fiftieth image shows no face."""
    random.seed(0)
    for i in range(count):
        path = f"photos/identity-{i // 20:06d}/image {i % 20:02d}.jpg"
        if i % 50 == 0:
            yield Row(path, status="no-face", width=640, height=480)
            continue
        x, y, side = (random.uniform(0, 300) for _ in range(3))
        yield Row(
            path,
            0,
            quality=random.gauss(0.5, 0.15),
            model="ediffiqa-n",
            detector="scrfd-n",
            det_score=random.uniform(0.5, 1),
            x1=x,
            y1=y,
            x2=x + side,
            y2=y + side,
            width=640,
            height=480,
            inter_eye=side / 2.5,
        )


def run(arguments: list[str]) -> tuple[float, float, float]:
    """Seconds, seconds of processor and peak MB of one `fiqa` process."""
    fiqa = shutil.which("fiqa") or str(Path(sys.executable).with_name("fiqa"))
    start = time.perf_counter()
    child = os.posix_spawn(fiqa, ["fiqa", *arguments], os.environ)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"fiqa {' '.join(arguments)} failed")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def main() -> None:
    """Make the rows, run each case, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    count = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.csv")
        with open_writer(report, "csv") as writer:
            writer.write(rows(count))
        print(f"{count:,} rows, {report.stat().st_size / 1e6:.0f} MB of CSV")
        for name, options in CASES.items():
            output = str(Path(folder, "kept.csv"))
            seconds, busy, peak = run(["filter", str(report), *options, "-q", "-o", output])
            print(f"{name:16} {seconds:6.2f} s ({busy:.2f} s of processor) {peak:6.0f} MB peak")


if __name__ == "__main__":
    main()
