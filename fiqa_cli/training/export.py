"""Write trained weights as the file that is scored with, under their official names."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from fiqa_cli.training.folding import fold, unfolded_state
from fiqa_cli.training.plan import Architecture
from fiqa_cli.training.weights_file import write_weights
from fiqa_cli.zoo.load import build
from fiqa_cli.zoo.state import COUNTERS


def export(
    weights: Mapping[str, Tensor],
    architecture: Architecture,
    out: Path,
    metadata: Mapping[str, str],
    *,
    folded: bool = False,
    half: bool = False,
) -> None:
    """Write the weights that a run keeps as safetensors: fp32, or fp16 if `half`.

    `folded` says whether batch normalisations were folded before training (`folding`). The
    architecture's `config` joins the metadata. The file is complete or absent, never half written.
    """
    # What a student has beside its network serves training alone.
    state = {
        name.removeprefix("network."): value
        for name, value in weights.items()
        if not name.startswith("projection.")
    }
    official = build(architecture.method, architecture.network, architecture.config)
    if folded:
        trained = build(architecture.method, architecture.network, architecture.config)
        fold(trained)
        trained.load_state_dict(state)
        state = unfolded_state(trained, official)
    official.load_state_dict(state)
    dtype = torch.float16 if half else torch.float32
    values = {
        name: value.to(dtype).contiguous()
        for name, value in official.state_dict().items()
        if not name.endswith(COUNTERS)
    }
    told = {"format": "pt", **metadata}
    if architecture.config:
        told["config"] = json.dumps(dict(architecture.config))
    write_weights(out, values, told)
