"""Signals that end a run from outside: all as Ctrl-C does, so that what was finished is kept."""

import signal
from types import FrameType


class Ended(KeyboardInterrupt):
    """A signal other than that of Ctrl-C; the only argument is its number."""


class Interruption(Exception):
    """What becomes of a `KeyboardInterrupt`, which typer would turn into a silent end."""

    def __init__(self, cause: KeyboardInterrupt) -> None:
        number = cause.args[0] if isinstance(cause, Ended) else signal.SIGINT
        super().__init__("interrupted" if number == signal.SIGINT else _NAMES[number])
        self.code = 128 + number
        """As shells tell the end by a signal."""
        for note in getattr(cause, "__notes__", ()):
            self.add_note(note)


_NAMES = {signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}


def heed() -> None:
    """Let SIGTERM and SIGHUP raise `Ended`, unless whoever started this has them ignored."""
    for number in _NAMES:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended(number)
