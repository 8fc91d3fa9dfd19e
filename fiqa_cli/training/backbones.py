"""The networks that training begins with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fiqa_cli.errors import FiqaError
from fiqa_cli.networks.heads import DifFIQARNetwork, EDifFIQANetwork
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.training.pictures import Pictures
from fiqa_cli.training.warm_start import is_foreign_mobilefacenet, start_from
from fiqa_cli.zoo.formats import ONNX, weights_format
from fiqa_cli.zoo.load import build, load_network
from fiqa_cli.zoo.registry import resolve
from fiqa_cli.zoo.store import locate

NETWORKS = ("mobilefacenet", "iresnet18", "iresnet50", "iresnet100")


@dataclass(frozen=True, slots=True)
class Backbone:
    """A recogniser to train."""

    module: nn.Module
    network: str
    """One of `NETWORKS`."""
    features: int
    """Width of its embedding."""


def untrained(network: str, features: int) -> Backbone:
    """A network of `NETWORKS` with random weights, from torch's generator.

    Raises `FiqaError` for a network that is not known or never has so many features.
    """
    if network not in NETWORKS:
        raise FiqaError(f"there is no network {network!r}; there are {', '.join(NETWORKS)}")
    if features != 512 and network != "mobilefacenet":
        raise FiqaError(f"{network} has 512 features: leave out --features")
    return Backbone(build("", network, config_of(network, features)), network, features)


def config_of(network: str, features: int) -> dict[str, Any]:
    """Arguments of a network with embeddings of this width."""
    return {"features": features} if network == "mobilefacenet" else {}


def open_backbone(text: str, features: int, pictures: Pictures, seed: int) -> Backbone:
    """The backbone that `text` names: a recogniser or the one inside a quality model.

    Either of the registry or a weights file. A file of foamliu's MobileFaceNet becomes ours with
    `features` features (`warm_start`), fitted on some crops of `pictures` that `seed` draws.
    Raises `FiqaError` if there is none, or it has no weights to train.
    """
    path = Path(text).expanduser()
    if path.is_file() and weights_format(path) != ONNX and is_foreign_mobilefacenet(path):
        backbone = untrained("mobilefacenet", features)
        assert isinstance(backbone.module, MobileFaceNet)
        start_from(path, backbone.module, pictures, seed)
        return backbone
    model = _resolve(text)
    file = locate(model)
    if weights_format(file) == ONNX:
        raise FiqaError(f"{text} is ONNX, which cannot be trained: give a state dict")
    module = load_network(model, file)
    if model.kind == "quality":
        if not isinstance(module, EDifFIQANetwork | DifFIQARNetwork):
            raise FiqaError(f"{text} has no recogniser inside: give a recogniser")
        module = module.recogniser
    with torch.inference_mode():
        width = module.eval()(torch.zeros(1, 3, 112, 112)).shape[1]
    return Backbone(module.requires_grad_(True), model.network, width)


def _resolve(text: str) -> Any:
    try:
        return resolve(text, kind="recogniser")
    except FiqaError as no_recogniser:
        try:
            return resolve(text)
        except FiqaError:
            raise no_recogniser from None
