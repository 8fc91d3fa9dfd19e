"""The scale of a quality network, changed in the last layer of its weights file."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.catalogue import load_method
from fiqa_cli.methods.device import cores
from fiqa_cli.methods.precision import Precision
from fiqa_cli.training.batches import channels_first
from fiqa_cli.training.calibration import (
    FMR,
    FNMR,
    TOP,
    Misses,
    Pairs,
    Scale,
    compare,
    misses,
    require_same_order,
)
from fiqa_cli.training.crops import Crops, hold_out, open_crops
from fiqa_cli.training.embeddings import Teacher, open_teacher
from fiqa_cli.training.pictures import Pictures
from fiqa_cli.training.reporting import Advance, silent
from fiqa_cli.training.weights_file import read_weights, require_trained, write_weights

LAST_LAYERS = {"ediffiqa": "mlp.l2", "diffiqa-r": "linear"}
LIMIT = 4000
"""Faces that are compared, at most: their pairs have to fit into memory."""
CHUNK = 256


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What 0.5 means on the scale of a network, and how that was found."""

    scale: Scale
    """From the scale that the weights had."""
    fnmr: float
    """Of the pairs whose worse face is of quality 0.5."""
    fmr: float
    top: float
    """Part of the undegraded faces that stay below 1."""
    copies: int
    """Degraded ones of each face."""
    recogniser: str
    pairs: Pairs
    """Their qualities are those of the scale that the weights had."""
    curve: Misses
    faces: NDArray[np.float32]
    """Qualities of the undegraded faces on the scale that the weights had, `[N]`."""
    identities: int


def calibrate(
    model: Path,
    data: Sequence[Path],
    recogniser: str,
    device: torch.device,
    *,
    fnmr: float | None = None,
    times: float | None = None,
    fmr: float = FMR,
    top: float = TOP,
    held_out: int = 0,
    copies: int = 2,
    seed: int = 1,
    write: bool = True,
    advance: Advance = silent,
) -> Calibration:
    """Give a network that `fiqa train distill` wrote a scale on which 0.5 has a meaning.

    `model` is its folder or its safetensors file, which is replaced if `write`. Faces are those of
    `data`, as in training, or only the `held_out` identities that a training with the same `seed`
    did not see; each gets `copies` degraded ones. 0.5 becomes the quality at which `recogniser`
    misses the share `fnmr` of the mated pairs (default 0.5), or `times` as many as of all pairs of
    undegraded faces; 1 becomes the quality that the part `top` of these does not reach.
    Raises `FiqaError` where that does not exist, and for weights of another kind.
    """
    trained = require_trained(model)
    file = trained.path
    assert file is not None
    faces = _faces(open_crops(data), held_out, seed)
    with ThreadPoolExecutor(cores(), "read") as pool:
        pictures = Pictures(faces, copies, seed, pool)
        judge = open_teacher(recogniser, device)
        embeddings = _embed(judge, pictures, advance)
        before = _qualities(file, pictures, device, "scoring", advance)
        columns = before.reshape(len(faces), -1)
        pairs = compare(embeddings, columns, faces.identities, fmr)
        wished = _wished(fnmr, times, pairs.overall)
        curve = misses(pairs)
        clean = columns[:, 0]
        scale = Scale.through(curve.quality_at(wished), float(np.quantile(clean, top)))
        draft = file.with_suffix(".rescaled")
        try:
            _rescale(file, draft, LAST_LAYERS[trained.method], scale, judge, wished, fmr)
            after = _qualities(draft, pictures, device, "scoring on the new scale", advance)
            require_same_order(before, after, scale)
            if write:
                draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    identities = len(np.unique(faces.identities))
    return Calibration(scale, wished, fmr, top, copies, judge.name, pairs, curve, clean, identities)


def read_scale(file: Path) -> Scale | None:
    """The scale that a weights file got since it was trained, if any."""
    with safe_open(file, framework="pt") as content:
        told = (content.metadata() or {}).get("scale")
    if told is None:
        return None
    fields = json.loads(told)
    return Scale(fields["slope"], fields["offset"])


def _faces(crops: Crops, held_out: int, seed: int) -> Crops:
    """The crops to compare, of the identities that were held out if there are any."""
    chosen = np.arange(len(crops))
    if held_out:
        chosen = np.flatnonzero(hold_out(crops.identities, held_out, seed))
    if len(chosen) > LIMIT:
        chosen = chosen[np.linspace(0, len(chosen) - 1, LIMIT).round().astype(int)]
    return Crops([crops.entries[row] for row in chosen], crops.names, crops.identities[chosen])


def _wished(fnmr: float | None, times: float | None, overall: float) -> float:
    if times is None:
        return FNMR if fnmr is None else fnmr
    wished = times * overall
    if not 0 < wished < 1:
        raise FiqaError(
            f"{times:g} times the overall FNMR, {overall:.3g}, is {wished:.3g}, which no quality "
            "has: give fewer --times, or --fnmr"
        )
    return wished


def _embed(judge: Teacher, pictures: Pictures, advance: Advance) -> NDArray[np.float32]:
    parts = []
    for numbers in _chunks(len(pictures)):
        parts.append(judge.embed(pictures.read(numbers)))
        advance("embedding", numbers.stop, len(pictures))
    return np.concatenate(parts).reshape(len(pictures.crops), pictures.columns, -1)


def _qualities(
    file: Path, pictures: Pictures, device: torch.device, what: str, advance: Advance
) -> NDArray[np.float32]:
    """Quality of every picture, `[crops * columns]`, by the weights in `file`."""
    method = load_method(str(file.absolute()), device, Precision.FP32).method
    parts = []
    for numbers in _chunks(len(pictures)):
        parts.append(method.score(channels_first(pictures.read(numbers))).quality.numpy())
        advance(what, numbers.stop, len(pictures))
    return np.concatenate(parts)


def _chunks(count: int) -> list[range]:
    return [range(first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]


def _rescale(
    file: Path,
    draft: Path,
    layer: str,
    scale: Scale,
    judge: Teacher,
    fnmr: float,
    fmr: float,
) -> None:
    """Write the weights of `file` with a last `layer` on the new scale; it is kept in fp32."""
    weights, told = read_weights(file)
    weight, bias = (weights[f"{layer}.{name}"].double() for name in ("weight", "bias"))
    weights[f"{layer}.weight"] = (scale.slope * weight).float()
    weights[f"{layer}.bias"] = (scale.slope * bias + scale.offset).float()
    whole = scale.after(read_scale(file) or Scale(1.0, 0.0))
    told["scale"] = json.dumps(
        {
            "slope": whole.slope,
            "offset": whole.offset,
            "half": {"fnmr": fnmr, "fmr": fmr, "recogniser_sha256": judge.sha256},
        }
    )
    write_weights(draft, weights, told)
