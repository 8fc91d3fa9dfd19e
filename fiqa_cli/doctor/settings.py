"""What was set by files and environment variables."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fiqa_cli.doctor.finding import Finding, discreet, first_line
from fiqa_cli.errors import FiqaError

SECTION = "settings"


def settings(read: Callable[[], Mapping[str, Mapping[str, Any]]]) -> Iterator[Finding]:
    """The defaults that `read` finds in a settings file, and every variable of ours."""
    try:
        for command, defaults in read().items():
            for name, value in defaults.items():
                yield Finding(SECTION, f"[{command}] {name.replace('_', '-')}", discreet(value))
    except FiqaError as error:
        yield Finding(SECTION, "settings file", first_line(error), "correct that line")
    for name in sorted(os.environ):
        if name.startswith("FIQA_"):
            yield Finding(SECTION, name, discreet(os.environ[name]))
