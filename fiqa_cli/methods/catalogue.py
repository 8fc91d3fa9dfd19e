"""From a model's name to the method that scores with it."""

from importlib.metadata import entry_points
from pathlib import Path

import torch

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.distilled import Distilled
from fiqa_cli.methods.method import Method
from fiqa_cli.methods.onnx_quality import OnnxQuality
from fiqa_cli.methods.precision import Precision
from fiqa_cli.zoo.formats import ONNX, weights_format
from fiqa_cli.zoo.load import load_network, load_onnx
from fiqa_cli.zoo.registry import resolve
from fiqa_cli.zoo.store import locate

ENTRY_POINTS = "fiqa.methods"


def load_method(
    model: str,
    device: torch.device,
    precision: Precision = Precision.AUTO,
    batch_size: int | None = None,
) -> tuple[Method, Path | None]:
    """The method for `model`, and its weights file if it is one of ours.

    `model` is a name of the registry, a weights file, or the name of an entry point of the group
    `fiqa.methods`. Raises FiqaError if it is unknown, damaged or not on this machine.
    """
    for entry in entry_points(group=ENTRY_POINTS, name=model):
        return entry.load()(device, precision, batch_size), None
    found = resolve(model)
    if found.kind != "quality":
        raise FiqaError(f"{model} is a {found.kind}: 'fiqa models list' shows the quality models")
    path = locate(found)
    if weights_format(path) == ONNX:
        if precision not in (Precision.AUTO, Precision.FP32):
            raise FiqaError(f"{model} is an ONNX file, which runs in fp32: leave out --precision")
        return OnnxQuality(found.name, load_onnx(path, device.type), batch_size), path
    return Distilled(found.name, load_network(found, path), device, precision, batch_size), path
