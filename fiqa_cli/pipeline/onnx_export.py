"""A model of one network as an ONNX file, held against torch on real crops."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fiqa_cli import __version__
from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.distilled import normalise
from fiqa_cli.networks.folding import fold
from fiqa_cli.networks.heads import QualityNetwork
from fiqa_cli.pipeline.crop_source import CropSource, RunOptions
from fiqa_cli.pipeline.prospect import Prospect
from fiqa_cli.samples import write_samples
from fiqa_cli.sources.listing import expand
from fiqa_cli.zoo.checksum import sha256_of
from fiqa_cli.zoo.formats import ONNX, weights_format
from fiqa_cli.zoo.load import load_network
from fiqa_cli.zoo.model import Model
from fiqa_cli.zoo.onnx_network import load_onnx_quality, load_onnx_recogniser
from fiqa_cli.zoo.onnx_writer import OPSET, write_onnx
from fiqa_cli.zoo.registry import models, resolve
from fiqa_cli.zoo.store import locate

CROPS = 256
"""At most so many are compared."""
TOLERANCE = 1e-4
"""Largest difference that is rounding, of the largest value of torch."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and how far it is from torch."""

    file: Path
    output: str
    """`quality` `[N, 1]` or `embedding` `[N, D]`."""
    crops: int
    """How many were compared."""
    difference: float
    """The largest between a value of torch and that of the file."""


def export_model(name: str, file: Path, check: Path | None = None) -> Exported:
    """Write the model `name`, of the registry or a file or folder of one's own, as ONNX.

    The file takes `input`, float32 `[N, 3, 112, 112]` of the model's preprocessing, for any N; what
    it computes is compared on the aligned crops in the folder `check` or, without one, on the faces
    that the built-in detector finds in the sample photos.
    Raises `FiqaError` if the model is not one network or its weights are not here, and if the file
    does not compute the same; then nothing is written.
    """
    if file.suffix != ".onnx":
        raise FiqaError(f"{file} has to end with .onnx: by that 'fiqa score' knows it")
    model = _exportable(name)
    path = locate(model)
    if weights_format(path) == ONNX:
        raise FiqaError(f"{name} is ONNX already: {path}")
    network = load_network(model, path)
    output = "quality" if model.kind == "quality" else "embedding"
    whole = network
    if model.kind == "quality":
        parts = cast(QualityNetwork, network)
        whole = nn.Sequential(parts.recogniser, parts.head)
    folded = fold(whole).requires_grad_(False)
    crops = read_crops(check)
    draft = file.with_name(f".{file.name}")
    try:
        axes = {"input": {0: "batch"}, output: {0: "batch"}}
        example = torch.zeros(1, 3, 112, 112)
        write_onnx(folded, example, draft, [output], axes, _metadata(model, path))
        difference = _difference(network, draft, output, normalise(crops))
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return Exported(file, output, len(crops), difference)


def read_crops(folder: Path | None) -> Tensor:
    """The first aligned crops of a folder, or those of the sample photos, `[N, 3, 112, 112]` uint8.

    Raises `FiqaError` if there are none.
    """
    if folder:
        return _crops(folder, aligned=True)
    with tempfile.TemporaryDirectory() as samples:
        for _ in write_samples(Path(samples)):
            pass
        return _crops(Path(samples), aligned=False)


def _crops(folder: Path, *, aligned: bool) -> Tensor:
    def keep(prospects: list[Prospect]) -> Iterator[NDArray[np.uint8]]:
        return (each.crop for each in prospects if each.crop is not None)

    source = CropSource(RunOptions(aligned=aligned), lambda line: None, gpu=False)
    found = []
    for crop in source.flow(expand([str(folder)]), keep, batch_size=16):
        found.append(crop)
        if len(found) == CROPS:
            break
    if not found:
        raise FiqaError(f"there are no images of aligned faces in {folder}")
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2)


def _exportable(name: str) -> Model:
    """The model, if it is one network. Raises `FiqaError` otherwise."""
    if name in models():
        model = models()[name]
    else:
        try:
            model = resolve(name)
        except FiqaError as error:
            try:
                model = resolve(name, kind="recogniser")
            except FiqaError:
                raise error from None
    if model.kind == "detector":
        raise FiqaError(f"{name} is ONNX already: 'fiqa models where {name}' tells its folder")
    if model.kind == "quality" and model.method not in ("ediffiqa", "diffiqa-r"):
        raise FiqaError(
            f"{name} is not one network: distilled models and recognisers can be exported"
        )
    return model


def _metadata(model: Model, path: Path) -> dict[str, str]:
    given = model.preprocessing
    assert given is not None
    return {
        "name": model.name,
        "method": model.method or "recogniser",
        "network": model.network,
        "weights_sha256": sha256_of(path),
        "licence": model.licence,
        "preprocessing": f"{given.size}x{given.size} {given.colour}, "
        f"(x / 255 - {list(given.mean)}) / {list(given.std)}",
        "opset": str(OPSET),
        "fiqa": __version__,
    }


def _difference(network: nn.Module, file: Path, output: str, faces: Tensor) -> float:
    """The largest difference between what `file` and `network` compute from float faces."""
    with torch.inference_mode():
        # A quality network gives its embedding first.
        found = [network(part) for part in torch.split(faces, 16)]
    wanted = torch.cat([each[1] if output == "quality" else each for each in found]).numpy()
    run = load_onnx_quality(file) if output == "quality" else load_onnx_recogniser(file)
    difference = float(np.abs(run(faces.numpy()) - wanted).max())
    largest = float(np.abs(wanted).max())
    if not difference <= TOLERANCE * max(1.0, largest):
        raise FiqaError(
            f"ONNX and torch differ by up to {difference:.2g} of {largest:.2g} for these weights: "
            "nothing was written"
        )
    return difference
