"""Write the weights of a training run as the small file that is published, and read it back.

python -m fiqa_cli.training.export --run RUN --out weights/ediffiqa-n.safetensors
"""

import argparse
import datetime
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from fiqa_cli.networks.heads import EDifFIQANetwork
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.training.folding import fold, unfolded_state

NAME = "ediffiqa-n"
LICENCE = "non-commercial research only"
PREPROCESSING = "RGB, aligned 112x112, (x / 255 - 0.5) / 0.5"


def export(checkpoint: Path, out: Path) -> None:
    """Write the averaged weights of a checkpoint as fp16 safetensors, official names.

    The file is complete or absent, never half written.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    prefix = "network."
    average = {
        name.removeprefix(prefix): value
        for name, value in state["average"].items()
        if name.startswith(prefix)
    }
    folded = EDifFIQANetwork(MobileFaceNet())
    fold(folded)
    folded.load_state_dict(average)
    official = unfolded_state(folded, EDifFIQANetwork(MobileFaceNet()))
    half = {
        name: value.half().contiguous()
        for name, value in official.items()
        if not name.endswith("num_batches_tracked")
    }
    metadata = {
        "format": "pt",
        "name": NAME,
        "licence": LICENCE,
        "preprocessing": PREPROCESSING,
        "date": datetime.date.today().isoformat(),
        "seed": str(state["schedule"]["seed"]),
        "steps": str(state["step"]),
    }
    partial = out.with_suffix(".partial")
    save_file(half, partial, metadata)
    partial.chmod(0o644)  # safetensors leaves it to its owner alone
    partial.replace(out)


def load_exported(path: Path) -> EDifFIQANetwork:
    """Read a file written by `export` into a float32 network in evaluation mode."""
    network = EDifFIQANetwork(MobileFaceNet())
    state = {name: value.float() for name, value in load_file(path).items()}
    missing, unexpected = network.load_state_dict(state, strict=False)
    if unexpected or any(not name.endswith("num_batches_tracked") for name in missing):
        raise ValueError(f"{path}: not an ediffiqa-n file: {missing} {unexpected}")
    return network.eval()


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description="Write ediffiqa-n as fp16 safetensors.")
    parser.add_argument("--run", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    options = parser.parse_args()
    export(options.run / "checkpoint.pt", options.out)


if __name__ == "__main__":
    main()
