"""Portions: all rows, in order, whatever runs out of memory."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.portions import Portions

CPU = torch.device("cpu")
FULL = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate"),
)


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 20), st.sampled_from(FULL))
def test_every_row_comes_once_and_in_order(
    count: int, size: int, fits: int, error: Exception
) -> None:
    tried: list[int] = []

    def double(rows: Tensor, more: Tensor) -> Tensor:
        tried.append(len(rows))
        if len(rows) > fits:
            raise error
        return rows * 2 + more

    rows = torch.arange(count)
    portions = Portions(CPU, size)
    assert torch.equal(portions.run(double, rows, rows * 100), rows * 102)
    tried.clear()
    portions.run(double, rows, rows)
    assert max(tried) <= min(size, fits)  # what did not fit is not tried again


def test_too_little_memory_for_one_row_is_said() -> None:
    def fail(rows: Tensor) -> Tensor:
        raise FULL[0]

    with pytest.raises(FiqaError, match="memory of cpu does not suffice"):
        Portions(CPU, 8).run(fail, torch.arange(5))


def test_other_errors_are_not_hidden() -> None:
    def fail(rows: Tensor) -> Tensor:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        Portions(CPU, 8).run(fail, torch.arange(5))


class Memory:
    """A GPU with `total` bytes, of which a row takes `row`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, total: int, row: int) -> None:
        self.total, self.row, self.peak = total, row, 0
        self.seen: list[int] = []
        nothing = {"synchronize": None, "empty_cache": None, "memory_allocated": 0}
        for name, value in nothing.items():
            monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
        monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: self.forget())
        monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: self.peak)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (total, total))

    def forget(self) -> None:
        self.peak = 0

    def network(self, rows: Tensor) -> Tensor:
        """Runs out of memory as a GPU does."""
        self.seen.append(len(rows))
        self.peak = max(self.peak, self.row * len(rows))
        if self.row * len(rows) > self.total:
            raise FULL[0]
        return rows + 1


def test_portions_on_a_gpu_are_as_large_as_its_memory_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = Memory(monkeypatch, total=1000, row=20)
    portions = Portions(torch.device("cuda"), size=5, most=512)
    rows = torch.arange(200)
    assert torch.equal(portions.run(memory.network, rows), rows + 1)
    assert portions.size == 40  # 0.8 of 1000 bytes
    assert memory.seen == [4, *[40] * 5]
    memory.seen.clear()
    portions.run(memory.network, rows[:50])
    assert memory.seen == [40, 10]  # measured once


def test_portions_on_a_gpu_are_never_larger_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(monkeypatch, total=10**9, row=1)
    portions = Portions(torch.device("cuda"), size=5, most=64)
    portions.run(memory.network, torch.arange(100))
    assert portions.size == 64


def test_a_gpu_that_others_fill_gets_smaller_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(monkeypatch, total=1000, row=20)
    portions = Portions(torch.device("cuda"), size=5, most=512)
    portions.run(memory.network, torch.arange(100))
    memory.total = 300  # since taken by somebody else
    rows = torch.arange(100)
    assert torch.equal(portions.run(memory.network, rows), rows + 1)
    assert portions.size * memory.row <= 300
