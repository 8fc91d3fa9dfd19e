"""State dicts as people publish them: torch or safetensors, nested, prefixed, half precision."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.formats import GET_AGAIN, SAFETENSORS, TORCH, weights_format

if TYPE_CHECKING:
    from torch import Tensor

COUNTERS = "num_batches_tracked"
"""Batch normalisation's counters: training only, and absent from some published files."""
_NESTS = ("state_dict", "model_state_dict", "model", "ema")
_MOST = 2**30
"""Numbers in a file: a few bytes can announce tensors that no memory holds."""
_LONGEST_NAME = 80
_SAVE = "save the network's own, with torch.save(network.state_dict(), FILE)"


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
    _require_tensors(path, state)
    return {name: _checked(path, name, value) for name, value in state.items()}


def told(name: str) -> str:
    """A parameter's name as a message can hold it: whatever the file says, one line and short."""
    text = name.encode("unicode_escape").decode()
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"


def _read_torch(path: Path) -> Any:
    import pickle
    import warnings

    import torch

    _require_moderate(path)
    try:
        with warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise FiqaError(
            f"{path} was refused: besides tensors it holds objects that could run code, or it is"
            f" damaged; {_SAVE}"
        ) from error
    # A damaged file can fail anywhere inside torch, with any exception.
    except Exception as error:
        raise FiqaError(f"{path} is damaged: torch cannot read it; {GET_AGAIN}") from error


def _require_moderate(path: Path) -> None:
    """Raise `FiqaError` for a zip that unpacks to more than a state dict can be.

    torch itself never compresses what it saves, but reads what others have compressed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(info.file_size for info in archive.infolist())
    # The older format is no zip; and what is wrong with a zip, torch will tell.
    except Exception:
        return
    if size > 8 * _MOST:
        raise FiqaError(f"{path} unpacks to {size / 1e9:.0f} GB: that is no state dict; {_SAVE}")


def _read_safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    try:
        # Copied, because torch computes otherwise on tensors that are not aligned in memory.
        return {name: value.clone() for name, value in load_file(path).items()}
    # A header may name types and shapes that fail anywhere inside torch.
    except Exception as error:
        raise FiqaError(f"{path} is damaged ({told(str(error))}); {GET_AGAIN}") from error


def _unwrap(content: Any) -> Any:
    for nest in _NESTS:
        if isinstance(content, Mapping) and isinstance(content.get(nest), Mapping):
            return content[nest]
    return content


def _unprefixed(path: Path, content: Any) -> dict[str, Any]:
    if not isinstance(content, Mapping) or not content:
        raise FiqaError(f"{path} holds no state dict; {_SAVE}")
    if not all(isinstance(name, str) for name in content):
        raise FiqaError(f"{path} holds no state dict: its names are no text; {_SAVE}")
    if all(name.startswith("module.") for name in content):
        return {name.removeprefix("module."): value for name, value in content.items()}
    return dict(content)


def _part(state: dict[str, Any], prefixes: Sequence[str]) -> dict[str, Any]:
    for prefix in prefixes:
        below = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}
        if below:
            return below
    return state


def _require_tensors(path: Path, state: Mapping[str, Any]) -> None:
    """Raise `FiqaError` unless all are floating point tensors with values, of a moderate size."""
    import torch

    for name, value in state.items():
        # A tensor on the meta device has a shape and no values.
        plain = isinstance(value, torch.Tensor) and value.layout is torch.strided
        if not plain or value.device.type != "cpu":
            raise FiqaError(f"{path} holds no state dict: {told(name)} is no plain tensor; {_SAVE}")
        if not value.is_floating_point() and not name.endswith(COUNTERS):
            raise FiqaError(
                f"{path}: {told(name)} is {value.dtype}, not floating point; save the network"
                " before it is quantised or cast"
            )
    # Counted before any value is looked at: what repeats one number needs no space in a file.
    if sum(value.numel() for value in state.values()) > _MOST:
        raise FiqaError(f"{path} holds more than {_MOST} numbers: that is no network of fiqa's")


def _checked(path: Path, name: str, value: "Tensor") -> "Tensor":
    if name.endswith(COUNTERS):
        return value
    single = value.float()
    # The sum is finite only if every value is, and far quicker than looking at each.
    if not single.sum().isfinite() and not single.isfinite().all():
        raise FiqaError(
            f"{path}: {told(name)} has values that are not finite: its training diverged, or the"
            " file is damaged; take another checkpoint or copy"
        )
    return single
