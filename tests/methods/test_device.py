"""Devices and precisions."""

import pytest
import torch

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.device import cores, find_device
from fiqa_cli.methods.precision import Precision, dtype, find_precision


def test_a_device_that_is_not_here_is_one_clear_line() -> None:
    with pytest.raises(FiqaError, match=r"no device 'cuda:99' here.*--device auto"):
        find_device("cuda:99")
    with pytest.raises(FiqaError, match="no device 'nonsense'"):
        find_device("nonsense")


def test_cpu_is_always_here() -> None:
    assert find_device("cpu") == torch.device("cpu")
    assert cores() >= 1


@pytest.mark.parametrize(("share", "most"), [("1", 1), ("0", 1), ("99999", None), ("many", None)])
def test_cores_may_be_shared(share: str, most: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    granted = cores()
    monkeypatch.setenv("FIQA_CORES", share)
    assert cores() == (most or granted)


@pytest.mark.parametrize("native", [True, False])
def test_auto_takes_bf16_only_where_it_is_native(
    native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    found = find_precision(Precision.AUTO, torch.device("cpu"))
    assert found == (Precision.BF16 if native else Precision.FP32)
    assert find_precision(Precision.FP32, torch.device("cpu")) == Precision.FP32


def test_each_precision_has_its_type() -> None:
    assert [dtype(p) for p in (Precision.FP32, Precision.BF16, Precision.FP16)] == [
        torch.float32,
        torch.bfloat16,
        torch.float16,
    ]
