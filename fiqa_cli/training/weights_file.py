"""Weights files that trainings wrote: read, changed and written again."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.formats import SAFETENSORS, weights_format
from fiqa_cli.zoo.model import Model
from fiqa_cli.zoo.registry import TRAINED, resolve


def require_trained(model: Path) -> Model:
    """The quality network in a folder, or its safetensors file, that `fiqa train distill` wrote.

    Raises `FiqaError` if there is none.
    """
    file = model / TRAINED if model.is_dir() else model
    if not file.is_file():
        raise FiqaError(f"there is no model {file}: name a folder that 'fiqa train distill' wrote")
    if weights_format(file) != SAFETENSORS:
        raise FiqaError(
            f"{file} is not safetensors, as 'fiqa train distill' writes it: published models stay "
            "as they are"
        )
    found = resolve(str(file.absolute()))
    if found.method not in ("ediffiqa", "diffiqa-r"):
        raise FiqaError(f"{file} holds no quality network that 'fiqa train distill' wrote")
    return found


def read_weights(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file, as they are, and its metadata."""
    with safe_open(file, framework="pt") as content:
        weights = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
        return weights, dict(content.metadata() or {})


def write_weights(file: Path, weights: Mapping[str, Tensor], told: Mapping[str, str]) -> None:
    """Write a safetensors file with the metadata `told`: complete or not at all."""
    partial = file.with_suffix(".partial")
    save_file(dict(weights), partial, dict(told))
    partial.chmod(0o644)  # safetensors leaves it to its owner alone
    partial.replace(file)
