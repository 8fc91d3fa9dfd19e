"""From a model's name to the method that scores with it."""

from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

import torch

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.diffiqa import DifFIQA, Diffusion
from fiqa_cli.methods.distilled import Distilled
from fiqa_cli.methods.faceqan import Attack, FaceQAN
from fiqa_cli.methods.method import Method
from fiqa_cli.methods.onnx_quality import OnnxQuality
from fiqa_cli.methods.precision import Precision, find_precision
from fiqa_cli.methods.recogniser import Recogniser
from fiqa_cli.methods.settings import DEFAULTS, Settings
from fiqa_cli.networks.unet import UNet
from fiqa_cli.zoo.formats import ONNX, weights_format
from fiqa_cli.zoo.load import load_network, load_onnx
from fiqa_cli.zoo.model import Model
from fiqa_cli.zoo.registry import resolve
from fiqa_cli.zoo.store import locate

ENTRY_POINTS = "fiqa.methods"


@dataclass(frozen=True)
class Loaded:
    """A method, ready, and the weights it runs on."""

    method: Method
    weights: Path | None = None
    """Its own file; `None` if it is not one of ours or has none of its own."""
    recogniser: tuple[str, Path] | None = None
    """Name and weights file of the recogniser beneath it, if that is a model of its own."""
    seed: int | None = None
    """Of its noise, if it has any."""


def load_method(
    model: str,
    device: torch.device,
    precision: Precision = Precision.AUTO,
    batch_size: int | None = None,
    settings: Settings = DEFAULTS,
) -> Loaded:
    """The method for `model`.

    `model` is a name of the registry, a weights file, or the name of an entry point of the group
    `fiqa.methods`. Raises FiqaError if it is unknown, damaged or not on this machine, or if it
    has no use for one of the `settings`.
    """
    for entry in entry_points(group=ENTRY_POINTS, name=model):
        settings.require_fit(model, "")
        return Loaded(entry.load()(device, precision, batch_size))
    found = resolve(model)
    if found.recogniser:
        settings.require_fit(model, found.method)
        return _over_recogniser(
            found, device, find_precision(precision, device), batch_size, settings
        )
    path = locate(found)
    if weights_format(path) == ONNX:
        settings.require_fit(model, "")
        if precision not in (Precision.AUTO, Precision.FP32):
            raise FiqaError(f"{model} is an ONNX file, which runs in fp32: leave out --precision")
        return Loaded(OnnxQuality(found.name, load_onnx(path, device.type), batch_size), path)
    settings.require_fit(model, found.method)
    network = load_network(found, path)
    method = Distilled(found.name, network, device, precision, batch_size, compile=settings.compile)
    return Loaded(method, path)


def load_recogniser(
    name: str, device: torch.device, precision: Precision, *, compile: bool = False
) -> tuple[Recogniser, Path]:
    """The recogniser called `name` in the registry, or in a weights file, and that file.

    `precision` is not `auto`. Raises FiqaError if there is none or its weights are not here.
    """
    found = resolve(name, kind="recogniser")
    path = locate(found)
    assert found.preprocessing is not None
    network = load_network(found, path)
    return Recogniser(network, found.preprocessing, device, precision, compile=compile), path


def _over_recogniser(
    found: Model,
    device: torch.device,
    precision: Precision,
    batch_size: int | None,
    settings: Settings,
) -> Loaded:
    """DifFIQA or FaceQAN, over its own recogniser or that of the settings."""
    wanted = settings.recogniser or found.recogniser
    # Scores over different recognisers do not compare: the name tells them apart.
    name = found.name if wanted == found.recogniser else f"{found.name}@{Path(wanted).name}"
    path = locate(found) if found.method == "diffiqa" else None
    recogniser, file = load_recogniser(wanted, device, precision, compile=settings.compile)
    seed = settings.seed or 0
    method: Method
    if path is None:
        attack = Attack(**_given(settings, "copies", "iterations", "epsilon", "exponent"))
        method = FaceQAN(
            name, recogniser, device, precision, attack, seed=seed, batch_size=batch_size
        )
    else:
        method = DifFIQA(
            name,
            cast(UNet, load_network(found, path)),
            recogniser,
            device,
            precision,
            Diffusion(**_given(settings, "copies", "timestep", "until_se")),
            seed=seed,
            batch_size=batch_size,
            compile=settings.compile,
        )
    return Loaded(method, path, (wanted, file), seed)


def _given(settings: Settings, *names: str) -> dict[str, Any]:
    values = {name: getattr(settings, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
