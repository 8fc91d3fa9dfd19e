"""Take a weights file that a person got by other means."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.cache import make_folder, model_folder, require_space, sync
from fiqa_cli.zoo.checksum import sha256_of
from fiqa_cli.zoo.formats import ONNX, SAFETENSORS, TORCH, ZIP, weights_format
from fiqa_cli.zoo.load import load_network
from fiqa_cli.zoo.lock import locked
from fiqa_cli.zoo.model import Model
from fiqa_cli.zoo.onnx_network import load_onnx_quality
from fiqa_cli.zoo.pull import install_file, install_pack
from fiqa_cli.zoo.receipt import entry
from fiqa_cli.zoo.store import how_to_get, locate

_SUFFIX = {ONNX: ".onnx", SAFETENSORS: ".safetensors", TORCH: ".pth"}


def import_file(
    model: Model, file: Path, notify: Callable[[str], None] = lambda line: None
) -> Path:
    """Copy `file` into the cache as the weights of `model` and return where they are now.

    The copy is checked to be that model: a state dict by loading it into the architecture, an
    ONNX network by its input and output, a pack by its detector. Its sha256 is recorded, and it
    is used before any downloaded file. Raises `FiqaError` if it is not that model.
    """
    if model.built_in or model.path:
        raise FiqaError(f"{model.name} comes with fiqa: there is nothing to import")
    if model.source == "recogniser":
        raise FiqaError(
            f"{model.name} has no weights of its own: import those of {model.recogniser}"
        )
    if model.source == "none":
        raise FiqaError(how_to_get(model))
    if not file.is_file():
        raise FiqaError(f"there is no file {file}")
    kind = weights_format(file)
    if model.is_pack != (kind == ZIP):
        wanted = "a zip of ONNX files" if model.is_pack else "ONNX, safetensors or a state dict"
        raise FiqaError(f"{file} is {kind}, but {model.name} has to be {wanted}")
    with locked(model.name, notify):
        if model.is_pack:
            return install_pack(model, file, str(file.absolute()), published=False, imported=True)
        folder = make_folder(model_folder(model.name))
        require_space(folder, file.stat().st_size)
        # What is checked is the copy: nobody can change it between the check and its use.
        copy = _copy(file, folder)
        try:
            _require_model(model, copy, kind, file)
            digest = sha256_of(copy)
            published = digest in {a.sha256 for a in model.artifacts}
            made = entry(copy, digest, str(file.absolute()), published=published, imported=True)
            target = install_file(model, copy, f"imported{_SUFFIX[kind]}", made)
        finally:
            copy.unlink(missing_ok=True)
        for suffix in _SUFFIX.values():
            other = target.with_suffix(suffix)
            if other != target:
                other.unlink(missing_ok=True)
    if not published:
        notify(f"no published sha256 matches: recorded {digest}, every later use must match it")
    return locate(model)


def _copy(file: Path, folder: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=".importing-", dir=folder)
    copy = Path(name)
    try:
        with os.fdopen(handle, "wb") as target, file.open("rb") as source:
            shutil.copyfileobj(source, target, 2**20)
        copy.chmod(0o644)
        sync(copy)
    except OSError as error:
        copy.unlink(missing_ok=True)
        raise FiqaError(f"cannot copy {file} to {folder}: {error.strerror}") from error
    return copy


def _require_model(model: Model, copy: Path, kind: str, file: Path) -> None:
    try:
        if kind != ONNX:
            load_network(model, copy)
        elif model.kind == "quality":
            load_onnx_quality(copy)
        else:
            raise FiqaError(f"{file} is ONNX, but {model.name} has to be a state dict")
    except FiqaError as error:
        raise FiqaError(str(error).replace(str(copy), str(file))) from error
