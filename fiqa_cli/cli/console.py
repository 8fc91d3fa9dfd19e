"""What is said to people: always on stderr, in colour only on a terminal."""

import sys

from rich.console import Console

console = Console(stderr=True, highlight=False)
"""Honours NO_COLOR and TERM, and is plain where stderr is not a terminal."""


def complain(message: str) -> None:
    """Say what is wrong and what to do about it, in one line."""
    console.print(f"fiqa: {message}", markup=False, soft_wrap=True, style="red")


def note(message: str) -> None:
    """Tell something worth knowing that is no error."""
    console.print(f"fiqa: {message}", markup=False, soft_wrap=True, style="yellow")


def on_terminal() -> bool:
    """Whether someone is watching stderr."""
    return sys.stderr.isatty()
