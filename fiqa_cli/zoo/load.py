"""From a weights file to a network that is ready to run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.model import Model
from fiqa_cli.zoo.state import COUNTERS, load_state_dict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

__all__ = ["OnnxNetwork", "load_network", "load_onnx", "load_state_dict", "recognise"]

_ARCHITECTURES = (
    ("ediffiqa", "mobilefacenet"),
    ("ediffiqa", "iresnet18"),
    ("ediffiqa", "iresnet50"),
    ("ediffiqa", "iresnet100"),
    ("diffiqa-r", "iresnet100"),
)
_RECOGNISERS = tuple(
    ("", name) for name in ("mobilefacenet", "iresnet18", "iresnet50", "iresnet100")
)
DIFFUSION_PARTS = ("model.", "ema_model.model.")
"""Where the U-Net is in a checkpoint of DifFIQA; without these prefixes it is a bare state dict."""


def load_network(model: Model, path: Path) -> "nn.Module":
    """The network of `model` with the state dict in `path`: eval mode, float32, on the CPU.

    A quality network maps `[N, 3, 112, 112]` to `(embedding [N, 512], quality [N])`, a recogniser
    to its embedding; that of DifFIQA is a U-Net. Raises `FiqaError` if names or shapes are not
    those of the architecture.
    """
    import torch

    state = load_state_dict(path, DIFFUSION_PARTS if model.method == "diffiqa" else ())
    with torch.device("meta"):
        network = _build(model.method, model.network, model.config)
    wanted = network.state_dict()
    _require_fit(path, model.name, wanted, state)
    for name, value in wanted.items():
        if name not in state:
            state[name] = torch.zeros(value.shape, dtype=value.dtype)
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def recognise(path: Path, kind: str = "quality") -> tuple[str, str, dict[str, Any]]:
    """Method, network and config, as in `Model`, whose parameters the state dict in `path` holds.

    Raises `FiqaError` if it fits no architecture of `kind`.
    """
    import torch

    state = _shapes(load_state_dict(path))
    for method, name in _ARCHITECTURES if kind == "quality" else _RECOGNISERS:
        config = {}
        if not method and name == "mobilefacenet" and "linear.weight" in state:
            config = {"features": state["linear.weight"][0]}
        with torch.device("meta"):
            network = _build(method, name, config)
        if _shapes(network.state_dict()) == state:
            return method, name, config
    if kind == "recogniser":
        known = ", ".join(name for _, name in _RECOGNISERS)
        raise FiqaError(f"{path} is no recogniser that fiqa knows: {known}")
    known = ", ".join(" with ".join(pair) for pair in _ARCHITECTURES)
    raise FiqaError(f"{path} fits no architecture that gives a quality: {known}")


class OnnxNetwork:
    """An exported quality network: `[N, 3, 112, 112]` float32 to quality `[N]` float32."""

    def __init__(self, session: Any, output: str) -> None:
        self._session = session
        self._output = output
        given = session.get_inputs()[0]
        self._input = given.name
        self._batch = given.shape[0] if isinstance(given.shape[0], int) else None

    def __call__(self, crops: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """Score normalised crops; an export with a fixed batch is run batch by batch."""
        import numpy as np

        crops = np.ascontiguousarray(crops, dtype=np.float32)
        if not len(crops):
            return np.empty(0, np.float32)
        # A fixed batch takes no smaller one: the last is filled up by repeating its last crop.
        step = self._batch or len(crops)
        return np.concatenate(
            [self._run(crops[start : start + step], step) for start in range(0, len(crops), step)]
        )

    def _run(self, crops: "NDArray[np.float32]", step: int) -> "NDArray[np.float32]":
        import numpy as np

        short = step - len(crops)
        filled = np.concatenate([crops, np.repeat(crops[-1:], short, axis=0)]) if short else crops
        quality = self._session.run([self._output], {self._input: filled})[0]
        if quality.size != step:
            raise FiqaError(f"the ONNX network gave {quality.shape} for {step} crops")
        return np.asarray(quality.reshape(-1)[: len(crops)], dtype=np.float32)


def load_onnx(path: Path, device: str = "cpu") -> OnnxNetwork:
    """A public ONNX export, run by onnxruntime on `device` (`cpu`, `cuda`).

    It has one input `[N, 3, 112, 112]` and gives the quality as output `quality` or as its only
    output. Raises `FiqaError` if that is not so, or if onnxruntime is missing.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise FiqaError(
            f"{path.name} needs onnxruntime: run: python -m pip install onnxruntime"
        ) from error
    providers = ["CPUExecutionProvider"]
    if device.startswith("cuda"):
        providers.insert(0, "CUDAExecutionProvider")
    if not set(providers) <= set(onnxruntime.get_available_providers()):
        raise FiqaError(
            f"this onnxruntime cannot use {device}: install onnxruntime-gpu or use --device cpu"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    # onnxruntime raises classes of its own that share no base but Exception.
    except Exception as error:
        raise FiqaError(f"{path} is no ONNX network that onnxruntime can read") from error
    inputs = session.get_inputs()
    outputs = [output.name for output in session.get_outputs()]
    if len(inputs) != 1 or list(inputs[0].shape[1:]) != [3, 112, 112]:
        shapes = [each.shape for each in inputs]
        raise FiqaError(f"{path} takes {shapes}: a quality network takes one [N, 3, 112, 112]")
    if "quality" not in outputs and len(outputs) != 1:
        raise FiqaError(f"{path} gives {', '.join(outputs)}: a quality network gives 'quality'")
    return OnnxNetwork(session, "quality" if "quality" in outputs else outputs[0])


def _build(method: str, network: str, config: Mapping[str, Any]) -> "nn.Module":
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
    if method == "ediffiqa":
        return EDifFIQANetwork(built)
    if method == "diffiqa-r":
        return DifFIQARNetwork(built)
    return built


def _shapes(state: "dict[str, Tensor]") -> dict[str, tuple[int, ...]]:
    return {n: tuple(v.shape) for n, v in state.items() if not n.endswith(COUNTERS)}


def _require_fit(
    path: Path, name: str, wanted: "dict[str, Tensor]", given: "dict[str, Tensor]"
) -> None:
    """Raise one line that says how far `given` is from what the network wants."""
    need, have = _shapes(wanted), _shapes(given)
    faults = [
        ("missing", sorted(need.keys() - have.keys())),
        ("unknown", sorted(given.keys() - wanted.keys())),
        ("of another shape", sorted(n for n in need.keys() & have.keys() if need[n] != have[n])),
    ]
    told = [f"{len(names)} {what} ({names[0]} …)" for what, names in faults if names]
    if told:
        raise FiqaError(f"{path} does not hold {name}: parameters {', '.join(told)}")
