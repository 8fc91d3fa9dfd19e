"""Ten thousand hostile files in one run of `fiqa score`: rows, time, memory, the longest image.

    python benchmarks/hostile_files.py [--count 10000] [--seed 0] [-- OPTIONS OF fiqa score]

Writes the corpus of `tests/hostile` to a temporary folder and scores it. Fails unless every file
has its row and the exit code is 1. Prints the wall time, the most memory that the run and its
decoders used together (proportional set size, sampled ten times a second), the longest time
between two rows, the statuses and the most frequent reasons.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


class Memory(threading.Thread):
    """Watches a process and its children."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.peak = 0
        self.peak_of_one = 0

    def run(self) -> None:
        """Sample until the process has gone."""
        while Path(f"/proc/{self.pid}/smaps_rollup").exists():
            each = [pss(pid) for pid in (self.pid, *children(self.pid))]
            self.peak = max(self.peak, sum(each))
            self.peak_of_one = max(self.peak_of_one, *each)
            time.sleep(0.1)


def pss(pid: int) -> int:
    """Bytes."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def children(pid: int) -> list[int]:
    """Of all threads of a process."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def main() -> None:
    """Write, score, check and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("options", nargs="*")
    options = parser.parse_args()

    from hostile.corpus import corpus, write

    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images"
        paths = write(images, corpus(options.count, options.seed))
        size = sum(Path(os.fsdecode(path)).stat().st_size for path in paths)
        print(f"{len(paths):,} files, {size / 1e6:,.0f} MB, seed {options.seed}")
        fiqa = str(Path(sys.executable).with_name("fiqa"))
        begun = time.monotonic()
        run = subprocess.Popen(
            [fiqa, "score", str(images), "-f", "jsonl", *options.options], stdout=subprocess.PIPE
        )
        memory = Memory(run.pid)
        memory.start()
        rows, longest, last = [], 0.0, None
        assert run.stdout is not None
        for line in run.stdout:
            now = time.monotonic()
            longest, last = max(longest, now - (last or now)), now
            rows.append(json.loads(line))
        code, wall = run.wait(), time.monotonic() - begun
    found = {os.fsencode(row["path"]) for row in rows}
    firsts = sum(not row["face"] for row in rows)
    print(f"wall {wall:.1f} s ({len(paths) / wall:.1f} files/s), exit code {code}")
    print(
        f"memory {memory.peak / 1e9:.2f} GB at most, {memory.peak_of_one / 1e9:.2f} of one process"
    )
    print(f"longest time between two rows {longest:.1f} s")
    print(f"{len(rows):,} rows: {dict(Counter(row['status'] for row in rows).most_common())}")
    for (status, error), number in Counter(
        (row["status"], row["error"]) for row in rows if row["error"]
    ).most_common(40):
        print(f"{number:7,} {status}: {error}")
    assert found == set(paths), f"{len(set(paths) - found)} files without a row"
    assert firsts == len(paths), "a file has not exactly one first row"
    assert code == 1, "the exit code of a run with unreadable images is 1"


if __name__ == "__main__":
    main()
