"""From a recogniser's name or file to one that embeds."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.onnx_recogniser import OnnxRecogniser
from fiqa_cli.methods.precision import Precision, find_precision, fp32_only
from fiqa_cli.methods.recogniser import Recogniser
from fiqa_cli.zoo.formats import ONNX, weights_format
from fiqa_cli.zoo.load import load_network
from fiqa_cli.zoo.onnx_network import load_onnx_recogniser
from fiqa_cli.zoo.preprocessing import PREPROCESSING, Pixels, pixels_of_onnx
from fiqa_cli.zoo.registry import resolve
from fiqa_cli.zoo.store import locate


@dataclass(frozen=True)
class LoadedRecogniser:
    """A recogniser, ready, and where it came from."""

    name: str
    """As the user gave it."""
    file: Path
    network: Recogniser | OnnxRecogniser
    """Faces, float32 `[N, 3, 112, 112]` RGB in [-1, 1], to embeddings `[N, D]`."""
    precision: Precision
    guess: str = ""
    """One line for the user if the file did not say for sure what pixels it expects."""


def load_recogniser(
    name: str,
    device: torch.device,
    precision: Precision = Precision.AUTO,
    pixels: Pixels | None = None,
    *,
    raw: bool = False,
    compile: bool = False,
) -> LoadedRecogniser:
    """The recogniser called `name` in the registry, or in a weights file.

    `pixels` are what a file expects; by default those that an ONNX graph tells, else `half`. With
    `raw` embeddings keep their norm, which a MobileFaceNet else divides by at its end. An ONNX
    file runs as it is, in fp32, and is never compiled.

    Raises FiqaError if there is no such recogniser, its weights are not here, or an option does
    not fit it.
    """
    found = resolve(name, kind="recogniser")
    path = locate(found)
    if found.path is None and pixels is not None:
        raise FiqaError(f"{name} needs no --preprocessing: that is for weights files")
    preprocessing = PREPROCESSING[pixels] if pixels else found.preprocessing
    assert preprocessing is not None
    if weights_format(path) != ONNX:
        used = find_precision(precision, device)
        if raw and found.network == "mobilefacenet":
            found = replace(found, config={**found.config, "normalised": False})
        network = load_network(found, path)
        recogniser = Recogniser(network, preprocessing, device, used, compile=compile)
        return LoadedRecogniser(name, path, recogniser, used)
    guess = ""
    if pixels is None:
        told = pixels_of_onnx(path)
        preprocessing = PREPROCESSING[told]
        guess = f"{name} gets {told} pixels by insightface's rule; --preprocessing gives others"
    run = load_onnx_recogniser(path, device.type)
    used = fp32_only(name, precision)
    return LoadedRecogniser(name, path, OnnxRecogniser(run, preprocessing), used, guess)
