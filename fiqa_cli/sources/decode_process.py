"""The process in which files become pixels, so that a file can harm no more than this process.

`IsolatedDecoder` starts it as `python -m fiqa_cli.sources.decode_process`. Requests come pickled on
standard input; answers go to standard output: `HEADER`, then the pixels, or a reason in UTF-8.
"""

import os
import pickle
import resource
import signal
import struct
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from fiqa_cli.sources.decode import decode_reduced
from fiqa_cli.sources.reasons import UnreadableImage

READY = b"+"
"""What the process says before its first request."""

HEADER = struct.Struct("<6Q")
"""The length of the reason, or 0 and of a picture: height and width of its pixels, its own width
and height, and its reduction."""


def main() -> None:
    """Answer requests until there are no more."""
    answers = _answers()
    for number in (signal.SIGPROF, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _volunteer()
    _write(answers, READY)
    while True:
        try:
            image, at_least, seconds, gigabytes = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        _limit(int(gigabytes * (1 << 30)))
        # Processor time, not time: whether an image has a quality must not depend on the load.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            found = decode_reduced(image, at_least)
            pixels = np.ascontiguousarray(found.pixels)
            size = (*pixels.shape[:2], found.width, found.height, found.reduction)
            header = HEADER.pack(0, *size)
            body: memoryview | bytes = pixels.data.cast("B")
        except UnreadableImage as error:
            body = _reason(error, gigabytes).encode("utf-8", "backslashreplace")
            header = HEADER.pack(len(body), 0, 0, 0, 0, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        _write(answers, header, body)


def _answers() -> int:
    """The stream of answers, kept from libraries that print."""
    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return answers


def _volunteer() -> None:
    """Where the machine's memory runs out, this process goes before the run does."""
    with suppress(OSError):  # only Linux has it
        Path("/proc/self/oom_score_adj").write_text("1000")


def _limit(size: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _reason(error: UnreadableImage, gigabytes: float) -> str:
    if isinstance(error.__cause__, MemoryError):
        return f"needs more than {gigabytes:g} GB to decode"
    return str(error)


def _write(stream: int, *parts: memoryview | bytes) -> None:
    views = [memoryview(part) for part in parts]
    while views:
        written = os.writev(stream, views)
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if written:
            views[0] = views[0][written:]


if __name__ == "__main__":
    main()
