"""The registry: models by name, and weights files given by path."""

import difflib
import functools
import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.builtin import read_sums, weights_folder
from fiqa_cli.zoo.formats import ONNX, weights_format
from fiqa_cli.zoo.model import Artifact, Model, Paper, Preprocessing
from fiqa_cli.zoo.preprocessing import PREPROCESSING, Pixels

TRAINED = "model.safetensors"
"""The weights in the folder that a training writes: the folder stands for them."""
_RECOGNISER = "fr-n"
"""Under a U-Net of the user, unless `--recogniser` says otherwise."""
_SUFFIXES = (".onnx", ".safetensors", ".pth", ".pt", ".bin")


@functools.cache
def models() -> Mapping[str, Model]:
    """Every registered model by name, in the order of the registry."""
    return read_registry(weights_folder())


def find(name: str) -> Model:
    """The registered model `name`. Raises `FiqaError` that names the nearest ones."""
    try:
        return models()[name]
    except KeyError:
        near = difflib.get_close_matches(name.lower(), models(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise FiqaError(
            f"no model is called {name!r}: {hint}'fiqa models list' shows all"
        ) from None


def weights_of(model: Model) -> Model:
    """The model whose weights `model` runs on: its own, or its recogniser's if it has none."""
    return find(model.recogniser) if model.source == "recogniser" else model


def resolve(name_or_path: str, kind: str = "quality") -> Model:
    """The model of that name, or the one in a weights file of the user, or in a trained folder.

    The architecture of a file is read off its parameter names and shapes; an ONNX file is taken
    as a finished network of `kind`. Raises `FiqaError` for an unknown name, a missing or unknown
    file, and for a model that is not of `kind`, `quality` or `recogniser`.
    """
    found = _resolve(name_or_path, kind)
    if found.kind != kind:
        raise FiqaError(
            f"{name_or_path} is a {found.kind}: 'fiqa models list' shows every {kind} model"
        )
    return found


def _resolve(name_or_path: str, kind: str) -> Model:
    if name_or_path in models():
        return models()[name_or_path]
    if os.sep not in name_or_path and not name_or_path.lower().endswith(_SUFFIXES):
        return find(name_or_path)
    path = Path(name_or_path).expanduser()
    name = path.name
    if (path / TRAINED).is_file():
        path /= TRAINED
    if not path.is_file():
        raise FiqaError(f"there is no model file {name_or_path}")
    found = Model(
        name=name,
        kind=kind,
        summary=f"weights file {name_or_path}",
        licence="not known",
        preprocessing=PREPROCESSING[Pixels.HALF],
        path=path,
    )
    if weights_format(path) == ONNX:
        return found
    from fiqa_cli.zoo.load import recognise

    method, network, config = recognise(path, kind)
    recogniser = _RECOGNISER if method == "diffiqa" else ""
    return replace(found, method=method, network=network, config=config, recogniser=recogniser)


def read_registry(folder: Path) -> dict[str, Model]:
    """The models of `registry.toml` in `folder`, with hashes and sizes of the built-in files."""
    with (folder / "registry.toml").open("rb") as file:
        data = tomllib.load(file)
    papers = {key: Paper(**fields) for key, fields in data["papers"].items()}
    found = {name: _model(name, fields, papers) for name, fields in data["models"].items()}
    sums = read_sums(folder)
    return {n: _with_sums(m, folder, sums) if m.built_in else m for n, m in found.items()}


def _model(name: str, fields: dict[str, Any], papers: Mapping[str, Paper]) -> Model:
    fields = {**fields, "paper": papers[fields["paper"]]}
    fields["artifacts"] = tuple(Artifact(**each) for each in fields.get("artifacts", ()))
    fields["config"] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in fields.get("config", {}).items()
    }
    if "preprocessing" in fields:
        given = fields["preprocessing"]
        fields["preprocessing"] = Preprocessing(
            given["size"], given["colour"], tuple(given["mean"]), tuple(given["std"])
        )
    return Model(name=name, **fields)


def _with_sums(model: Model, folder: Path, sums: Mapping[str, str]) -> Model:
    artifacts: list[Artifact] = []
    members: dict[str, str] = {}
    for artifact in model.artifacts:
        inside = {n: s for n, s in sums.items() if n.split("/")[0] == artifact.file}
        sizes = [(folder / n).stat().st_size for n in inside if (folder / n).is_file()]
        artifacts.append(
            replace(artifact, sha256=sums.get(artifact.file), bytes=sum(sizes) if sizes else None)
        )
        if model.is_pack:
            members |= {n.split("/", 1)[1]: digest for n, digest in inside.items() if "/" in n}
    return replace(model, artifacts=tuple(artifacts), members=members)
