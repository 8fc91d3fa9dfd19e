"""Where a method computes."""

import os

import torch

from fiqa_cli.errors import FiqaError

CORES = "FIQA_CORES"


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
    """Cores this process may use, not those of the machine: containers grant fewer.

    `FIQA_CORES` grants fewer still, where several processes share them.
    """
    granted = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    share = os.environ.get(CORES, "")
    return max(1, min(granted or 1, int(share))) if share.isdecimal() else granted or 1
