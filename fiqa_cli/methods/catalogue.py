"""From a model's name to the method that scores with it."""

from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

import torch

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.diffiqa import DifFIQA, Diffusion
from fiqa_cli.methods.distilled import Distilled
from fiqa_cli.methods.embedder import Embedder
from fiqa_cli.methods.embedding_norm import EmbeddingNorm
from fiqa_cli.methods.faceqan import Attack, FaceQAN
from fiqa_cli.methods.loaded_recogniser import LoadedRecogniser, load_recogniser
from fiqa_cli.methods.method import Method
from fiqa_cli.methods.onnx_quality import OnnxQuality
from fiqa_cli.methods.onnx_recogniser import OnnxRecogniser
from fiqa_cli.methods.precision import Precision, find_precision, fp32_only
from fiqa_cli.methods.settings import DEFAULTS, Settings
from fiqa_cli.methods.sharpness import Sharpness
from fiqa_cli.networks.unet import UNet
from fiqa_cli.zoo.formats import ONNX, weights_format
from fiqa_cli.zoo.load import load_network
from fiqa_cli.zoo.model import Model
from fiqa_cli.zoo.onnx_network import load_onnx_quality
from fiqa_cli.zoo.registry import resolve
from fiqa_cli.zoo.store import locate

ENTRY_POINTS = "fiqa.methods"


@dataclass(frozen=True)
class Loaded:
    """A method, ready, and the weights it runs on."""

    method: Method
    weights: Path | None = None
    """Its own file; `None` if it is not one of ours or has none of its own."""
    recogniser: LoadedRecogniser | None = None
    """The recogniser beneath it, if that is a model of its own."""
    seed: int | None = None
    """Of its noise, if it has any."""
    engine: str | None = None
    """What runs its network, where there is a choice: onnxruntime or torch."""


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
        return _over_recogniser(found, device, precision, batch_size, settings)
    if found.method == "sharpness":
        settings.require_fit(model, found.method)
        return Loaded(Sharpness(batch_size))
    path = locate(found)
    if weights_format(path) == ONNX:
        settings.require_fit(model, "")
        fp32_only(model, precision)
        onnx = load_onnx_quality(path, device.type)
        return Loaded(OnnxQuality(found.name, onnx, batch_size), path)
    settings.require_fit(model, found.method)
    network = load_network(found, path)
    method = Distilled(found.name, network, device, precision, batch_size, compile=settings.compile)
    return Loaded(method, path, engine=method.engine)


def _over_recogniser(
    found: Model,
    device: torch.device,
    precision: Precision,
    batch_size: int | None,
    settings: Settings,
) -> Loaded:
    """A method over its own recogniser, or over that of the settings."""
    wanted = settings.recogniser or found.recogniser
    # Scores over different recognisers do not compare: the name tells them apart.
    name = found.name if wanted == found.recogniser else f"{found.name}@{Path(wanted).name}"
    path = locate(found) if found.method == "diffiqa" else None
    norm_only = found.method == "embedding-norm"
    recogniser = load_recogniser(
        wanted, device, precision, settings.preprocessing, raw=norm_only, compile=settings.compile
    )
    if norm_only:
        norm = EmbeddingNorm(name, Embedder(recogniser, device, batch_size))
        return Loaded(norm, recogniser=recogniser)
    used = find_precision(precision, device)
    seed = settings.seed or 0
    method: Method
    if path is None:
        if isinstance(recogniser.network, OnnxRecogniser):
            raise FiqaError(
                f"{found.name} follows gradients, which {wanted} as an ONNX file does not give: "
                "give its state dict"
            )
        attack = Attack(**_given(settings, "copies", "iterations", "epsilon", "exponent"))
        method = FaceQAN(
            name, recogniser.network, device, used, attack, seed=seed, batch_size=batch_size
        )
    else:
        method = DifFIQA(
            name,
            cast(UNet, load_network(found, path)),
            recogniser.network,
            device,
            used,
            Diffusion(**_given(settings, "copies", "timestep", "until_se")),
            seed=seed,
            batch_size=batch_size,
            compile=settings.compile,
        )
    return Loaded(method, path, recogniser, seed)


def _given(settings: Settings, *names: str) -> dict[str, Any]:
    values = {name: getattr(settings, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
