"""Write the weights of a training run as the small file that is published, and read it back.

python -m fiqa_cli.training.export --run RUN --out weights/ediffiqa-n.safetensors

The name of the file is the name of the model, one of `NETWORKS`.
"""

import argparse
import datetime
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from fiqa_cli.errors import FiqaError
from fiqa_cli.networks.heads import EDifFIQANetwork
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.networks.unet import UNet, UNetConfig
from fiqa_cli.training.folding import fold, unfolded_state

Metadata = Mapping[str, str]

LICENCE = "non-commercial research only"
PREPROCESSING = "RGB, aligned 112x112, (x / 255 - 0.5) / 0.5"


def unet(metadata: Metadata) -> UNet:
    """A U-Net of the size in the metadata's `config`, the fields of `UNetConfig` as JSON."""
    fields = json.loads(metadata["config"])
    return UNet(UNetConfig(**{**fields, "multipliers": tuple(fields["multipliers"])}))


NETWORKS: dict[str, Callable[[Metadata], nn.Module]] = {
    "ediffiqa-n": lambda metadata: EDifFIQANetwork(MobileFaceNet()),
    "fr-n": lambda metadata: MobileFaceNet(features=128),
    "unet-n": unet,
}


def export(checkpoint: Path, out: Path) -> None:
    """Write the averaged weights of a checkpoint as fp16 safetensors, official names.

    The file is complete or absent, never half written. Raises `FiqaError` if `out` has not the
    name of a model.
    """
    if out.stem not in NETWORKS:
        raise FiqaError(f"{out}: name the file after its model, one of {', '.join(NETWORKS)}")
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    metadata = {
        "format": "pt",
        "name": out.stem,
        "licence": LICENCE,
        "preprocessing": PREPROCESSING,
        "date": datetime.date.today().isoformat(),
        "seed": str(state["schedule"]["seed"]),
        "steps": str(state["step"]),
    }
    if "unet" in state["schedule"]:
        metadata["config"] = json.dumps(state["schedule"]["unet"])
    # What a student has beside its network serves training alone.
    average = {
        name.removeprefix("network."): value
        for name, value in state["average"].items()
        if not name.startswith("projection.")
    }
    folded = NETWORKS[out.stem](metadata)
    fold(folded)
    folded.load_state_dict(average)
    official = unfolded_state(folded, NETWORKS[out.stem](metadata))
    half = {
        name: value.half().contiguous()
        for name, value in official.items()
        if not name.endswith("num_batches_tracked")
    }
    partial = out.with_suffix(".partial")
    save_file(half, partial, metadata)
    partial.chmod(0o644)  # safetensors leaves it to its owner alone
    partial.replace(out)


def load_exported(path: Path) -> nn.Module:
    """Read a file written by `export` into a float32 network in evaluation mode.

    Raises `FiqaError` if the weights are not those of the model that the file names.
    """
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    network = NETWORKS[metadata["name"]](metadata)
    missing, unexpected = network.load_state_dict(state, strict=False)
    if unexpected or any(not name.endswith("num_batches_tracked") for name in missing):
        raise FiqaError(f"{path}: not the weights of {metadata['name']}: {missing} {unexpected}")
    return network.eval()


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description="Write trained weights as fp16 safetensors.")
    parser.add_argument("--run", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--out", type=Path, required=True, help="MODEL.safetensors")
    options = parser.parse_args()
    export(options.run / "checkpoint.pt", options.out)


if __name__ == "__main__":
    main()
