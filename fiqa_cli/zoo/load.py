"""From a weights file to a network that is ready to run."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.formats import SAFETENSORS, weights_format
from fiqa_cli.zoo.model import Model
from fiqa_cli.zoo.state import COUNTERS, load_state_dict, told

if TYPE_CHECKING:
    from torch import Tensor, nn

_NETWORKS = ("mobilefacenet", "iresnet18", "iresnet50", "iresnet100")
_HEADS = {"ediffiqa": "base_model.", "diffiqa-r": "base."}
"""The methods of one network, and the prefix of the recogniser's parameters inside it."""
DIFFUSION_PARTS = ("model.", "ema_model.model.")
"""Where the U-Net is in a checkpoint of DifFIQA; without these prefixes it is a bare state dict."""


def load_network(model: Model, path: Path) -> "nn.Module":
    """The network of `model` with the state dict in `path`: eval mode, float32, on the CPU.

    A quality network maps `[N, 3, 112, 112]` to `(embedding [N, D], quality [N])`, a recogniser
    to its embedding; that of DifFIQA is a U-Net. Raises `FiqaError` if names or shapes are not
    those of the architecture.
    """
    import torch

    state = load_state_dict(path, DIFFUSION_PARTS if model.method == "diffiqa" else ())
    with torch.device("meta"):
        network = build(model.method, model.network, model.config)
    wanted = network.state_dict()
    _require_fit(path, model.name, wanted, state)
    for name, value in wanted.items():
        if name not in state:
            state[name] = torch.zeros(value.shape, dtype=value.dtype)
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def recognise(path: Path, kind: str = "quality") -> tuple[str, str, dict[str, Any]]:
    """Method, network and config, as in `Model`, whose parameters the state dict in `path` holds.

    The size of a U-Net does not show in its parameters: its file tells it as `config`, JSON, in
    the metadata of safetensors. Raises `FiqaError` if it fits no architecture of `kind`.
    """
    import torch

    state = _shapes(load_state_dict(path))
    if kind == "quality" and "init_conv.weight" in state and (size := _unet_config(path)):
        return "diffiqa", "unet", size
    prefixes = _HEADS if kind == "quality" else {"": ""}
    for method, prefix in prefixes.items():
        width = state.get(f"{prefix}linear.weight", (512,))[0]
        for name in _NETWORKS:
            config = {"features": width} if name == "mobilefacenet" and width != 512 else {}
            with torch.device("meta"):
                network = build(method, name, config)
            if _shapes(network.state_dict()) == state:
                return method, name, config
    known = ", ".join(_NETWORKS)
    if kind == "recogniser":
        raise FiqaError(f"{path} is no recogniser that fiqa knows: {known}")
    raise FiqaError(
        f"{path} fits no architecture that gives a quality: the head of eDifFIQA or DifFIQA(R) on"
        f" {known}; or a U-Net with its size in the metadata"
    )


def _unet_config(path: Path) -> dict[str, Any] | None:
    """The size of a U-Net, fields of `UNetConfig`; `None` where the file does not tell it."""
    from dataclasses import asdict

    from safetensors import safe_open

    from fiqa_cli.networks.unet import UNetConfig

    if weights_format(path) != SAFETENSORS:
        return None
    with safe_open(path, framework="pt") as file:
        text = (file.metadata() or {}).get("config")
    if text is None:
        return None
    try:
        fields = json.loads(text)
        return asdict(UNetConfig(**fields | {"multipliers": tuple(fields["multipliers"])}))
    except (ValueError, TypeError, KeyError) as error:
        raise FiqaError(f"{path}: its metadata tells no size of a U-Net ({error})") from error


def build(method: str, network: str, config: Mapping[str, Any]) -> "nn.Module":
    """The architecture of a `Model`, with random weights."""
    from fiqa_cli.networks.heads import DifFIQARNetwork, EDifFIQANetwork
    from fiqa_cli.networks.iresnet import iresnet18, iresnet50, iresnet100
    from fiqa_cli.networks.mobilefacenet import MobileFaceNet
    from fiqa_cli.networks.unet import UNet, UNetConfig

    networks: dict[str, Callable[..., nn.Module]] = {
        "mobilefacenet": MobileFaceNet,
        "iresnet18": iresnet18,
        "iresnet50": iresnet50,
        "iresnet100": iresnet100,
        "unet": lambda **sizes: UNet(UNetConfig(**sizes)),
    }
    built = networks[network](**config)
    features = config.get("features", 512)
    if method == "ediffiqa":
        return EDifFIQANetwork(built, features)
    if method == "diffiqa-r":
        return DifFIQARNetwork(built, features)
    return built


def _shapes(state: "dict[str, Tensor]") -> dict[str, tuple[int, ...]]:
    return {n: tuple(v.shape) for n, v in state.items() if not n.endswith(COUNTERS)}


def _require_fit(
    path: Path, name: str, wanted: "dict[str, Tensor]", given: "dict[str, Tensor]"
) -> None:
    """Raise one line that says how far `given` is from what the network wants."""
    common = wanted.keys() & given.keys()
    faults = [
        ("missing", sorted(_shapes(wanted).keys() - given.keys())),
        ("unknown", sorted(given.keys() - wanted.keys())),
        ("of another shape", sorted(n for n in common if wanted[n].shape != given[n].shape)),
    ]
    found = [f"{len(names)} {what} ({told(names[0])} …)" for what, names in faults if names]
    if found:
        raise FiqaError(
            f"{path} does not hold {name}: parameters {', '.join(found)}; give the file of that"
            " model"
        )
