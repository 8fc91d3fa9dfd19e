"""Decoding in processes of its own: a file that hangs, eats memory or crashes costs one row.

Every file is decoded there, harmless ones too: a header says nothing of what a decoder makes of the
rest. It costs 0.14 ms of processor time for a crop of 112x112 and 0.30 ms for a photo of 0.16
megapixels (`benchmarks/isolation.py`), one or two hundredths of what scoring them costs on a CPU,
and takes the decoders' work out of this process.
"""

import fcntl
import os
import pickle
import queue
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import fiqa_cli
from fiqa_cli.errors import FiqaError
from fiqa_cli.sources.decode_process import HEADER, READY
from fiqa_cli.sources.picture import Picture
from fiqa_cli.sources.reasons import UnreadableImage

SECONDS, GIGABYTES = 10.0, 2.0
"""The limits that suit all but scans of more than a hundred megapixels."""

PATIENCE, LEAST_PATIENCE = 6, 60
"""How long a decode may take on a busy machine or a slow disk: times its limit; and seconds."""

_PIPE = 1 << 20
"""Bytes that a pipe of pixels holds: the most that Linux gives to everyone."""

_GIVEN_UP = "not decoded: the run ended before"

_COMMAND = ("-P", "-m", "fiqa_cli.sources.decode_process")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a single image may use up."""

    seconds: float = SECONDS
    """Of processor time."""
    gigabytes: float = GIGABYTES
    """Units of 2^30 bytes of address space, with the 0.1 that a process needs without an image."""


_Question = tuple[str | bytes, int | None]


class IsolatedDecoder:
    """Decodes in as many processes as there are threads that ask; a dead one is replaced.

    Until a process has started, those that have share the work: an image that waited for it would
    look like one that is long in coming. The processes end with this object, and when this process
    dies, however it does.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._asking = self._processes = self._stops = 0
        self._busy: set[_Process] = set()
        self._ready: _Ready = queue.LifoQueue()
        weakref.finalize(self, _end, self._ready)
        # The first starts while the caller still loads its models.
        self._start(1)

    def decode_reduced(self, image: str | bytes, at_least: int | None) -> Picture:
        """What `decode.decode_reduced` gives, within the limits.

        Raises `UnreadableImage` as that does, and for an image that exceeds a limit or crashes the
        decoder; `FiqaError` if no process can be started.
        """
        stops, code = self._stops, 0
        with self._lock:
            self._asking += 1
        try:
            # Its killer may have meant another: the kernel, where others have eaten the memory.
            for _ in range(2):
                found = self._try((_from_here(image), at_least), stops)
                if isinstance(found, Picture):
                    return found
                code = found
                if code != -signal.SIGKILL:
                    break
            raise UnreadableImage(self._reason(code))
        finally:
            with self._lock:
                self._asking -= 1

    def stop(self) -> None:
        """Give up what other threads are decoding."""
        self._stops += 1
        for process in list(self._busy):
            process.kill(_GIVEN_UP)

    def _try(self, question: _Question, stops: int) -> Picture | int:
        """The picture, or the exit code of a process that died of them."""
        try:
            # Asking first whether there is one would let two threads count on the same.
            process = self._ready.get_nowait()
        except queue.Empty:
            self._start(self._asking)
            process = self._ready.get()
        if isinstance(process, FiqaError):
            self._ready.put(process)  # for the others that wait
            raise process
        self._busy.add(process)
        try:
            if stops != self._stops:
                raise UnreadableImage(_GIVEN_UP)
            return process.decode(question, self._limits)
        finally:
            self._busy.discard(process)
            if process.is_idle:
                self._ready.put(process)
            else:
                with self._lock:
                    self._processes -= 1
                self._start(self._asking)

    def _start(self, most: int) -> None:
        """Let another process start, unless there are as many."""
        with self._lock:
            if self._processes >= most:
                return
            self._processes += 1
        threading.Thread(target=_bring_up, args=(self._ready,), daemon=True).start()

    def _reason(self, code: int) -> str:
        if code == -signal.SIGPROF:
            return f"took longer than {self._limits.seconds:g} s to decode"
        if code == -signal.SIGKILL:
            return "the decoder was killed twice (signal 9): is memory short?"
        return f"the decoder crashed ({f'signal {-code}' if code < 0 else f'exit code {code}'})"


class _Process:
    """A process that is ready."""

    def __init__(self) -> None:
        # Not the current folder, where a file of the dataset may be called like a module.
        places = [*filter(None, sys.path), str(Path(fiqa_cli.__file__).parents[1])]
        # Threads of libraries that decode nothing would take address space.
        small = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
        try:
            self._process = subprocess.Popen(
                [sys.executable, *_COMMAND],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **small, "PYTHONPATH": os.pathsep.join(places)},
                process_group=0,  # Ctrl-C is for the run, which ends them
            )
        except OSError as error:
            raise FiqaError(
                f"cannot start a process to decode images in: {error.strerror}"
            ) from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests = self._process.stdin
        self._answers = self._process.stdout
        with suppress(OSError):  # an unprivileged user has so many of them
            fcntl.fcntl(self._answers, fcntl.F_SETPIPE_SZ, _PIPE)
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        self._why_killed = ""
        self.is_idle = True
        """Whether it can take another image: not while it decodes, nor when it is dead."""
        try:
            self._read(len(READY), time.monotonic() + LEAST_PATIENCE)
        except (EOFError, TimeoutError):
            self.end()
            raise FiqaError(
                "the process to decode images in does not start: "
                f"'{sys.executable} {' '.join(_COMMAND)}' may say why"
            ) from None

    def decode(self, question: _Question, limits: Limits) -> Picture | int:
        """The picture, or the exit code if the process died of them."""
        until = time.monotonic() + max(PATIENCE * limits.seconds, LEAST_PATIENCE)
        self.is_idle = False
        try:
            self._ask(*question, limits.seconds, limits.gigabytes)
            length, *size = HEADER.unpack(self._read(HEADER.size, until))
            if length:
                reason = self._read(length, until).decode()
            else:
                pixels = np.empty((size[0], size[1], 3), np.uint8)
                self._fill(pixels.data.cast("B"), until)
        except EOFError:
            return self._bury()
        except TimeoutError:
            # One that waits for a disk cannot even be killed: it is left behind.
            self.kill("gave nothing in time: is the disk or the machine overloaded?")
            raise UnreadableImage(self._why_killed) from None
        except MemoryError:
            self.kill("not enough memory")
            raise UnreadableImage(self._why_killed) from None
        self.is_idle = True
        if length:
            raise UnreadableImage(reason)
        return Picture(pixels, *size[2:])

    def kill(self, why: str) -> None:
        """End it at once; who waits for its answer is told `why`."""
        self._why_killed = why
        self._process.kill()

    def end(self) -> None:
        """End it while it has nothing to do."""
        self.kill("")
        self._bury()

    def _ask(self, *request: object) -> None:
        rest = memoryview(pickle.dumps(request))
        with suppress(BrokenPipeError):  # the answer will tell
            while rest:
                rest = rest[self._requests.write(rest) :]

    def _read(self, size: int, until: float) -> bytearray:
        content = bytearray(size)
        self._fill(memoryview(content), until)
        return content

    def _fill(self, view: memoryview, until: float) -> None:
        while view:
            if not self._poll.poll(max(0.0, until - time.monotonic()) * 1000):
                raise TimeoutError
            if not (count := os.readv(self._answers.fileno(), [view])):
                raise EOFError
            view = view[count:]

    def _bury(self) -> int:
        code = self._process.wait()
        self._requests.close()
        self._answers.close()
        if self._why_killed:
            raise UnreadableImage(self._why_killed)
        return code


def _from_here(image: str | bytes) -> str | bytes:
    """A path from the root, as the process keeps the folder that it was started in."""
    with suppress(FileNotFoundError):  # that folder is gone
        if image and isinstance(image, str):
            return os.path.join(os.getcwd(), image)  # noqa: PTH109, PTH118 - never rewritten
    return image


_Ready = queue.LifoQueue[_Process | FiqaError]


def _bring_up(ready: _Ready) -> None:
    try:
        ready.put(_Process())
    except FiqaError as error:
        ready.put(error)
    except Exception as error:  # else those who wait would wait for ever
        ready.put(FiqaError(f"cannot start a process to decode images in: {error}"))


def _end(ready: _Ready) -> None:
    with suppress(queue.Empty):
        while True:
            process = ready.get_nowait()
            if isinstance(process, _Process):
                process.end()
