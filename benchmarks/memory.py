"""Memory and the first row: `fiqa score` over lists of ten thousand and of a million images.

    python benchmarks/memory.py CROPS [--rows 10000 1000000] [--model sharpness] [--format parquet]
    python benchmarks/memory.py PHOTOS --photos --model ediffiqa-n --rows 100 3000

CROPS is a folder of aligned crops (with --photos of photos), repeated in the list as often as it
takes. `sharpness` is the cheapest method, so that a million rows come in minutes: everything else
of a run, with its journal, writer, progress and manifest, is as with any other. Prints for each
length of the list the peak of the resident memory once 1000, 10 000, 100 000 and all rows were
written, and rows per second; then how long after its start a run puts its first row on a pipe.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

from whole_runs import FIQA, listed

STEPS = (1_000, 10_000, 100_000)


def peak(process: int) -> float:
    """The most resident memory that a process has had so far, in MB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def peaks(command: list[str], journal: Path, rows: int) -> tuple[list[float], float]:
    """The peak at each of `STEPS` and at the end, and the seconds of the run.

    The journal holds a line for each row that has been written.
    """
    steps = [step for step in STEPS if step < rows] + [rows]
    reached: list[float] = []
    last: float = 0
    written = place = 0
    begun = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        last = peak(process.pid) or last
        if journal.is_file():
            with journal.open("rb") as file:
                file.seek(place)
                while chunk := file.read(1 << 20):
                    written += chunk.count(b"\n")
                    place += len(chunk)
        while len(reached) < len(steps) - 1 and written >= steps[len(reached)]:
            reached.append(last)
        time.sleep(0.05)
    seconds = time.perf_counter() - begun
    return [*reached, last], seconds


def first_row(command: list[str]) -> float:
    """Seconds until the first row is on a pipe."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the header
        process.stdout.readline()
        seconds = time.perf_counter() - begun
        process.stdout.close()
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("images", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--model", default="sharpness")
    parser.add_argument("--format", choices=("csv", "parquet"), default="parquet")
    parser.add_argument("--photos", action="store_true")
    parser.add_argument("--first", default="ediffiqa-n", help="model of the first row")
    options = parser.parse_args()

    fiqa = [FIQA, "score", *(() if options.photos else ("--aligned",))]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rows in options.rows:
            listing = listed(options.images, rows, folder)
            output = folder / f"{rows}.{options.format}"
            beside = options.format == "parquet"
            journal = output.with_name(f".{output.name}.rows") if beside else output
            command = [*fiqa, "-m", options.model, f"@{listing}", "-o", str(output)]
            found, seconds = peaks(command, journal, rows)
            steps = [*(str(step) for step in STEPS if step < rows), "end"]
            told = ", ".join(f"{s} {mb:.0f}" for s, mb in zip(steps, found, strict=True))
            print(f"{rows} images, {options.model}: {rows / seconds:.0f}/s; peak in MB: {told}")
        for turn in range(3):
            seconds = first_row([*fiqa, "-q", "-m", options.first, f"@{listing}"])
            print(f"first row, {options.first}, run {turn + 1}: {seconds:.1f} s")


if __name__ == "__main__":
    main()
