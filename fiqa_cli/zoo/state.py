"""State dicts as people publish them: torch or safetensors, nested, prefixed, half precision."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.formats import SAFETENSORS, TORCH, weights_format

if TYPE_CHECKING:
    from torch import Tensor

COUNTERS = "num_batches_tracked"
"""Batch normalisation's counters: training only, and absent from some published files."""
_NESTS = ("state_dict", "model_state_dict", "model", "ema")


def load_state_dict(path: Path, parts: Sequence[str] = ()) -> dict[str, "Tensor"]:
    """Parameters and buffers by name, on the CPU, floating point ones as float32.

    Takes what `torch.save` wrote (tensors only: nothing in the file is executed) and safetensors,
    told apart by content; unwraps `{"state_dict": …}` and the prefix `module.`. Of the prefixes
    `parts` the first that occurs selects the names below it. Raises `FiqaError` for a file that
    holds anything else, or values that are not finite.
    """
    kind = weights_format(path)
    if kind == SAFETENSORS:
        content = _read_safetensors(path)
    elif kind == TORCH:
        content = _unwrap(_read_torch(path))
    else:
        raise FiqaError(f"{path} is {kind}, not a state dict")
    state = _part(_unprefixed(path, content), parts)
    return {name: _checked(path, name, value) for name, value in state.items()}


def _read_torch(path: Path) -> Any:
    import pickle
    import warnings

    import torch

    try:
        with warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise FiqaError(
            f"{path} was refused: besides tensors it holds objects that could run code, or it is"
            " damaged; save its state dict alone, with torch.save(model.state_dict(), FILE)"
        ) from error
    # A damaged file can fail anywhere inside torch, with any exception.
    except Exception as error:
        raise FiqaError(f"{path} is damaged: torch cannot read it") from error


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        # Copied, because torch computes otherwise on tensors that are not aligned in memory.
        return {name: value.clone() for name, value in load_file(path).items()}
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise FiqaError(f"{path} is damaged: {error}") from error


def _unwrap(content: Any) -> Any:
    for nest in _NESTS:
        if isinstance(content, Mapping) and isinstance(content.get(nest), Mapping):
            return content[nest]
    return content


def _unprefixed(path: Path, content: Any) -> dict[str, Any]:
    if not isinstance(content, Mapping) or not content:
        raise FiqaError(f"{path} holds no state dict")
    if not all(isinstance(name, str) for name in content):
        raise FiqaError(f"{path} holds no state dict: its names are no text")
    if all(name.startswith("module.") for name in content):
        return {name.removeprefix("module."): value for name, value in content.items()}
    return dict(content)


def _part(state: dict[str, Any], prefixes: Sequence[str]) -> dict[str, Any]:
    for prefix in prefixes:
        below = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}
        if below:
            return below
    return state


def _checked(path: Path, name: str, value: Any) -> "Tensor":
    import torch

    if not isinstance(value, torch.Tensor) or value.layout is not torch.strided:
        raise FiqaError(f"{path} holds no state dict: {name} is no plain tensor")
    if name.endswith(COUNTERS):
        return value
    if not value.is_floating_point():
        raise FiqaError(f"{path}: {name} is {value.dtype}, not floating point")
    single = value.float()
    # The sum is finite only if every value is, and far quicker than looking at each.
    if not single.sum().isfinite() and not single.isfinite().all():
        raise FiqaError(f"{path}: {name} has values that are not finite: the file is damaged")
    return single
