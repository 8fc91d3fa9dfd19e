"""Methods distilled into one network: eDifFIQA (T, S, M, L) and DifFIQA(R).

One pass per crop: a recogniser's embedding, then a regression head (eDifFIQA: TBIOM 2024;
DifFIQA(R): IJCB 2023). All the speed is in how the crops are fed.
"""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from fiqa_cli.methods.device import cores
from fiqa_cli.methods.method import Scores
from fiqa_cli.methods.onnx_engine import onnx_engine
from fiqa_cli.methods.portions import Portions
from fiqa_cli.methods.precision import Precision, bf16_is_a_choice, dtype, find_precision
from fiqa_cli.networks.folding import fold
from fiqa_cli.networks.heads import QualityNetwork
from fiqa_cli.networks.pruning import prune

CPU_PORTION = 8
"""Crops a CPU thread takes at once in fp32 (in bf16 twice as many): few enough for their
activations to stay in its cache."""
GPU_BATCH = 256


class Distilled:
    """A recogniser with a quality head, folded and laid out for one device."""

    components: Sequence[str] = ()
    engine: str
    """What runs the network: onnxruntime or torch."""

    def __init__(
        self,
        name: str,
        network: nn.Module,
        device: torch.device,
        precision: Precision = Precision.AUTO,
        batch_size: int | None = None,
        *,
        compile: bool = False,
    ) -> None:
        """Take over `network` (a `QualityNetwork` in eval mode) for inference on `device`.

        Batch normalisations are folded into the convolutions before them. The recogniser runs in
        `precision`, the head always in fp32: in bf16 it would round qualities to three digits.
        In fp32 on a CPU onnxruntime computes, if it is here and nothing is to be compiled; channels
        that are the same for every crop are left out there (torch would not gain by that). Where
        the CPU has bf16 by AVX-512 alone, `auto` takes that for networks without PReLUs: it is as
        fast as bf16 by torch, and leaves more of the cores to those that read images.
        """
        self.name = name
        found = find_precision(precision, device)
        parts = cast(QualityNetwork, network)
        run = None
        exact = found is Precision.FP32
        as_fast = bf16_is_a_choice(precision) and _is_rectified(parts.recogniser)
        if device.type == "cpu" and not compile and (exact or as_fast):
            folded = fold(nn.Sequential(parts.recogniser, parts.head))
            prune(folded)
            run = onnx_engine(folded)
        if run:
            found = Precision.FP32
        self.precision: str = found
        self.engine = "torch" if run is None else "onnxruntime"
        self._run = run or _torch_engine(parts, device, dtype(found), compile)
        if device.type == "cpu":
            self.batch_size = batch_size or CPU_PORTION * cores() * 4
            portion = min(CPU_PORTION * 4 // dtype(found).itemsize, self.batch_size)
        else:
            self.batch_size = portion = batch_size or GPU_BATCH
        self._portions = Portions(device, portion)

    def score(self, crops: Tensor) -> Scores:
        """Score aligned RGB crops, uint8 `[N, 3, 112, 112]`; quality on the network's raw scale."""
        return Scores(self._portions.run(self._run, crops).flatten())


def _is_rectified(network: nn.Module) -> bool:
    """Whether the slopes of all PReLUs are 0, so that they fold to ReLUs."""
    slopes = (layer.weight for layer in network.modules() if isinstance(layer, nn.PReLU))
    return not any(slope.any() for slope in slopes)


def _torch_engine(
    parts: QualityNetwork, device: torch.device, dtype: torch.dtype, compile: bool
) -> Callable[[Tensor], Tensor]:
    recogniser = fold(parts.recogniser).to(device, dtype)
    recogniser = recogniser.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if compile:
        recogniser.compile(dynamic=False)
    head = parts.head.eval().to(device, torch.float32)

    def run(crops: Tensor) -> Tensor:
        with torch.inference_mode():
            pixels = normalise(crops.to(device, non_blocking=True))
            embedding = recogniser(pixels.to(dtype, memory_format=torch.channels_last))
            quality: Tensor = head(embedding.float()).cpu()
            return quality

    return run


def normalise(crops: Tensor) -> Tensor:
    """The official preprocessing: uint8 to float32 in [-1, 1], (x/255 - 0.5) / 0.5."""
    return crops.float() / 127.5 - 1
