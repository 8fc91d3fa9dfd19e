"""Rows through a network a portion at a time, as a device likes it and its memory allows."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.device import cores

MEASURED = 4
"""Rows of the pass that tells how much memory of a GPU one row needs."""
FREE_SHARE = 0.8
"""Share of a GPU's free memory to fill: other processes and fragmentation need the rest."""


class Portions:
    """Splits rows into portions, runs them, and halves the portions when memory runs out.

    On a CPU independent threads take small portions, each computing alone: one large batch split
    inside every layer leaves the cache and waits for its slowest thread each time.
    """

    def __init__(self, device: torch.device, size: int, most: int | None = None) -> None:
        """Begin with portions of `size` rows; on a GPU, of as many as fit, up to `most`."""
        self.size = size
        self._device = device
        self._most = most if device.type == "cuda" else None
        self._pool: ThreadPoolExecutor | None = None
        if device.type == "cpu":
            self._pool = ThreadPoolExecutor(
                cores(), "score", initializer=torch.set_num_threads, initargs=(1,)
            )

    def run(self, function: Callable[..., Tensor], *rows: Tensor) -> Tensor:
        """Apply `function` to portions of `rows` (tensors of equal length, 1 or more).

        Returns its results, one row per row, concatenated. `function` must treat each row for
        itself. Raises FiqaError if memory does not suffice for a single row.
        """
        if self._most is not None:
            self._fit(function, *(part[:MEASURED] for part in rows))
        portions = list(zip(*(torch.split(part, self.size) for part in rows), strict=True))
        if self._pool is None:
            return torch.cat([self._run(function, portion) for portion in portions])
        return torch.cat(
            list(self._pool.map(lambda portion: self._run(function, portion), portions))
        )

    def _run(self, function: Callable[..., Tensor], portion: tuple[Tensor, ...]) -> Tensor:
        try:
            return function(*portion)
        except (RuntimeError, MemoryError) as error:
            if _did_not_compile(error):
                raise FiqaError(
                    "torch cannot compile the networks here, it needs a working C++ compiler: "
                    "install one (g++) or leave out --compile"
                ) from error
            if not _out_of_memory(error):
                raise
        # Outside of the handler: the exception would keep what it failed with alive.
        count = len(portion[0])
        if count == 1:
            raise FiqaError(
                f"the memory of {self._device} does not suffice for a single face: "
                "try --precision bf16, a smaller model or --device cpu"
            )
        half = (count + 1) // 2
        self.size = min(self.size, half)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        halves = zip(*(torch.split(part, half) for part in portion), strict=True)
        return torch.cat([self._run(function, part) for part in halves])

    def _fit(self, function: Callable[..., Tensor], *rows: Tensor) -> None:
        assert self._most is not None
        torch.cuda.synchronize(self._device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self._device)
        before = torch.cuda.memory_allocated(self._device)
        self._run(function, rows)
        torch.cuda.synchronize(self._device)
        row = (torch.cuda.max_memory_allocated(self._device) - before) / len(rows[0])
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info(self._device)
        self.size = max(1, min(self._most, int(FREE_SHARE * free / max(row, 1))))
        self._most = None


def _did_not_compile(error: BaseException) -> bool:
    # By name, because importing torch's compiler takes longer than scoring a hundred faces.
    return any(kind.__name__ == "BackendCompilerFailed" for kind in type(error).__mro__)


def _out_of_memory(error: BaseException) -> bool:
    # The CPU's allocator raises a RuntimeError like any other.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        "not enough memory" in str(error) or "out of memory" in str(error)
    )
