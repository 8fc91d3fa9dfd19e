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
    def double(rows: Tensor, more: Tensor) -> Tensor:
        if len(rows) > fits:
            raise error
        return rows * 2 + more

    rows = torch.arange(count)
    portions = Portions(CPU, size)
    assert torch.equal(portions.run(double, rows, rows * 100), rows * 102)
    assert portions.size <= max(size, fits)
    if min(count, size) > fits:
        assert portions.size <= fits


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
