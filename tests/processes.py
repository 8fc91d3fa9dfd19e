"""The processes around a test, from /proc."""

from pathlib import Path


def children(pid: int) -> set[int]:
    """The children of a process that are no zombies."""
    others = (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit())
    return {other for other in others if is_alive(other) and _fields(other)[1:2] == [str(pid)]}


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    return (_fields(pid) or "Z")[0] != "Z"


def _fields(pid: int) -> list[str]:
    """State, parent and what follows in `/proc/PID/stat`."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
