"""In which arithmetic a method computes."""

from enum import StrEnum
from typing import TYPE_CHECKING

from fiqa_cli.errors import FiqaError

if TYPE_CHECKING:
    import torch


class Precision(StrEnum):
    """`fp32` is exact; `auto` takes bf16 where the device computes it natively."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


def find_precision(precision: Precision, device: "torch.device") -> Precision:
    """The precision to compute in; `auto` is bf16 on devices with native bf16 arithmetic.

    Without it bf16 is emulated and an order of magnitude slower than fp32.
    """
    import torch

    precision = Precision(precision)  # in a notebook it may be its name
    if precision is not Precision.AUTO:
        return precision
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    elif device.type == "cpu":
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    else:
        native = False
    return Precision.BF16 if native else Precision.FP32


def bf16_is_a_choice(precision: Precision) -> bool:
    """Whether `precision` is `auto` and a CPU gains so little by bf16 that fp32 may be faster.

    AVX-512 multiplies two bf16 numbers in the time of one in fp32, AMX many times as many.
    """
    import torch

    return Precision(precision) is Precision.AUTO and not torch.cpu._is_amx_tile_supported()


def fp32_only(name: str, precision: Precision) -> Precision:
    """fp32, in which the ONNX file `name` runs; raises FiqaError if another was asked for."""
    if precision not in (Precision.AUTO, Precision.FP32):
        raise FiqaError(f"{name} is an ONNX file, which runs in fp32: leave out --precision")
    return Precision.FP32


def dtype(precision: Precision) -> "torch.dtype":
    """The tensor type of a precision other than `auto`."""
    import torch

    types = {
        Precision.FP32: torch.float32,
        Precision.BF16: torch.bfloat16,
        Precision.FP16: torch.float16,
    }
    return types[precision]
