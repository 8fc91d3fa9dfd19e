"""Several processes that train one network: those that torchrun starts, or just this one."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from fiqa_cli.errors import FiqaError

Part = TypeVar("Part")

PATIENCE = timedelta(hours=12)
"""One process may embed or validate for long while the others wait for it."""


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those of the run."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this one writes files and tells people."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all have come here."""
        if self.count > 1:
            dist.barrier()

    def interleave(self, parts: Sequence[Part]) -> list[Part]:
        """The parts of all processes, taken from each in turn."""
        if self.count == 1:
            return list(parts)
        found: list[list[Part]] = [[] for _ in range(self.count)]
        dist.all_gather_object(found, list(parts))
        longest = max(map(len, found))
        return [theirs[i] for i in range(longest) for theirs in found if i < len(theirs)]

    def share(self, module: nn.Module) -> nn.Module:
        """`module` with gradients that are averaged over all processes."""
        if self.count == 1:
            return module
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=ids)


THIS = Processes(0, 1, torch.device("cpu"))
"""This process alone, on the CPU."""


def is_first() -> bool:
    """Whether this process tells people, among those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def processes(device: torch.device) -> Iterator[Processes]:
    """Join the other processes, if torchrun started several (`WORLD_SIZE`).

    Each takes the GPU of its `LOCAL_RANK`; on a CPU they talk through gloo.
    Raises `FiqaError` if there are more processes than GPUs.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(0, 1, device)
        return
    if device.type == "cuda":
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise FiqaError(
                f"there are {torch.cuda.device_count()} GPUs here: start as many processes"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Processes(dist.get_rank(), count, device)
    finally:
        dist.destroy_process_group()
