"""Where a method computes."""

import os

import torch

from fiqa_cli.errors import FiqaError


def find_device(name: str = "auto") -> torch.device:
    """The device called `name`: auto (cuda, else mps, else cpu), cpu, cuda, cuda:1, mps.

    Raises FiqaError if there is no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise FiqaError(f"there is no device {name!r} here; try --device auto or cpu") from error
    return device


def cores() -> int:
    """Cores this process may use, not those of the machine: containers grant fewer."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
