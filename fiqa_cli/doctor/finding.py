"""One thing that was looked at."""

import re
from dataclasses import dataclass
from pathlib import Path

_SECRETS = ((re.compile(r"//[^/@\s]*@"), "//…@"), (re.compile(r"(https?://[^?\s]*)\?\S+"), r"\1?…"))


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of the report."""

    section: str
    name: str
    value: str
    remedy: str = ""
    """What to do about it; empty if nothing is wrong."""


def discreet(text: object) -> str:
    """`text` for a bug report: the home folder as `~`, addresses without passwords and tokens."""
    found = str(text).replace(str(Path.home()), "~")
    for secret, left in _SECRETS:
        found = secret.sub(left, found)
    return found


def first_line(error: BaseException) -> str:
    """The first line of what went wrong, for a value of one line."""
    lines = str(error).strip().splitlines()
    return discreet(lines[0]) if lines else type(error).__name__
