"""What there is to compute on."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path

from fiqa_cli.doctor.finding import Finding

SECTION = "devices"


def devices() -> Iterator[Finding]:
    """CPU, memory, GPUs, and what `--device auto` and `--precision auto` take of them."""
    import torch

    from fiqa_cli.methods.device import cores, find_device
    from fiqa_cli.methods.precision import Precision, find_precision

    yield Finding(SECTION, "cpu", f"{_cpu()}, {cores()} of {os.cpu_count()} cores")
    features = [torch.backends.cpu.get_cpu_capability()]
    if torch.cpu._is_avx512_bf16_supported():
        features.append("AVX512_BF16")
    if torch.cpu._is_amx_tile_supported():
        features.append("AMX")
    yield Finding(SECTION, "cpu features", " ".join(features))
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        yield Finding(SECTION, "memory", f"{memory / 2**30:.0f} GiB")
    cuda = f"of version {torch.version.cuda}, no GPU" if torch.version.cuda else "not in this torch"
    if torch.cuda.is_available():
        cuda = "; ".join(map(_gpu, range(torch.cuda.device_count())))
    yield Finding(SECTION, "cuda", cuda)
    yield Finding(SECTION, "mps", "yes" if torch.backends.mps.is_available() else "no")
    device = find_device()
    used = find_precision(Precision.AUTO, device)
    yield Finding(SECTION, "by default", f"{device}, {used}")


def providers() -> Iterator[Finding]:
    """What onnxruntime, which runs the detectors, can use."""
    import onnxruntime

    found = onnxruntime.get_available_providers()
    names = " ".join(name.removesuffix("ExecutionProvider") for name in found)
    yield Finding(SECTION, "onnxruntime", names)


def _gpu(number: int) -> str:
    import torch

    found = torch.cuda.get_device_properties(number)
    memory = found.total_memory / 2**30
    return f"{found.name}, {memory:.0f} GiB, compute capability {found.major}.{found.minor}"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
