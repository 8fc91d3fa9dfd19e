"""Fuzzing every reader for as long as you like; each input has limits of time and memory.

    python benchmarks/fuzz_readers.py [READER ...] [--seconds 30] [--seed 0] [--keep FOLDER]
    python benchmarks/fuzz_readers.py --atheris READER [-- OPTIONS OF libFuzzer]

The readers are those of `tests/hostile/readers.py`, all by default; each breaks its whole files at
random for so many seconds. Prints how many files each has read, refused and taken longest for, and
keeps those that made it fail. With `--atheris` (pip install atheris) coverage of fiqa's own code
leads the way instead. Exit code 1 if anything was found.
"""

import argparse
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from types import FrameType

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

LIMIT = 10
"""Seconds for one file."""

MEMORY = 4 << 30


class TooSlow(BaseException):
    """A file took longer than its limit."""


def alarm(number: int, frame: FrameType | None) -> None:
    """End the reading of a file."""
    raise TooSlow


def fuzz(name: str, seconds: float, dice: random.Random, keep: Path) -> int:
    """Break files and read them; the number of findings."""
    from hostile.mutations import broken
    from hostile.readers import readers, survive

    reader = readers()[name]
    kinds: set[str] = set()
    read = refused = 0
    longest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{reader.suffix}"
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            content = broken(dice.choice(reader.files), dice)
            begun = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, LIMIT)
            try:
                if survive(reader, path, content):
                    read += 1
                else:
                    refused += 1
            except (Exception, TooSlow) as error:
                last = traceback.extract_tb(error.__traceback__)[-1]
                kind = f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
                if kind not in kinds:
                    kinds.add(kind)
                    (keep / f"{name.replace(' ', '-')}-{len(kinds)}").write_bytes(content)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            longest = max(longest, time.process_time() - begun)
    print(f"{name:18} {read:7,} read {refused:7,} refused  longest {longest:5.2f} s", flush=True)
    for kind in sorted(kinds):
        print(f"    {kind}")
    return len(kinds)


def with_atheris(name: str, options: list[str]) -> None:
    """Never returns, unless by an option of libFuzzer."""
    import atheris

    with atheris.instrument_imports(include=["fiqa_cli"]):
        from hostile.readers import readers, survive

        reader = readers()[name]
        folder = Path(tempfile.mkdtemp())
        for content in reader.files:
            survive(reader, folder / f"a{reader.suffix}", content)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, content in enumerate(reader.files):
        (corpus / str(number)).write_bytes(content)

    def once(content: bytes) -> None:
        survive(reader, folder / f"a{reader.suffix}", content)

    atheris.Setup([sys.argv[0], str(corpus), f"-timeout={LIMIT}", *options], once)
    atheris.Fuzz()


def main() -> None:
    """Fuzz and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("readers", nargs="*", metavar="READER")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("findings"))
    parser.add_argument("--atheris", action="store_true")
    options = parser.parse_args()
    if options.atheris:
        with_atheris(options.readers[0], options.readers[1:])
        return
    from hostile.readers import readers

    options.keep.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGPROF, alarm)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    dice = random.Random(options.seed)
    names = options.readers or list(readers())
    found = sum(fuzz(name, options.seconds, dice, options.keep) for name in names)
    print(f"{found} findings, with the files in {options.keep}" if found else "nothing found")
    sys.exit(found > 0)


if __name__ == "__main__":
    main()
