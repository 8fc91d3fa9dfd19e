"""A bank: every training crop with degraded copies and the teacher's embeddings of all.

Made once, so that training costs the student's passes only:

    python -m fiqa_cli.training.bank --crops DIR --recogniser imagenet:TEACHER.onnx --out BANK
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.training.crops import SIZE, list_crops, read_crop
from fiqa_cli.training.degradations import degrade
from fiqa_cli.training.embeddings import Recogniser

CHUNK = 512


@dataclass(frozen=True, slots=True)
class Bank:
    """Rows of crops; crop `i` has its clean row and `copies` degraded rows next to each other."""

    crops: NDArray[np.uint8]
    """`[N, 1 + copies, 112, 112, 3]` RGB; column 0 is clean. Memory-mapped."""
    embeddings: NDArray[np.float32]
    """`[N, 1 + copies, D]` by the teacher, not normalised."""
    identities: NDArray[np.int64]
    """`[N]`, numbered from 0."""
    kinds: NDArray[np.str_]
    """`[N, 1 + copies]`, `clean` or the degradation."""
    strengths: NDArray[np.float32]
    """`[N, 1 + copies]` in [0, 1]; 0 for clean."""


def make_bank(folder: Path, recogniser: Recogniser, out: Path, copies: int, seed: int) -> None:
    """Degrade and embed every crop below `folder` and write the arrays of a `Bank` into `out`."""
    paths, identities = list_crops(folder)
    out.mkdir(parents=True, exist_ok=True)
    shape = (len(paths), 1 + copies)
    crops = np.lib.format.open_memmap(out / "crops.npy", "w+", np.uint8, (*shape, SIZE, SIZE, 3))
    kinds = np.full(shape, "clean", "U16")
    strengths = np.zeros(shape, np.float32)
    embeddings = []
    for start in range(0, len(paths), CHUNK):
        for row in range(start, min(start + CHUNK, len(paths))):
            crops[row, 0] = read_crop(paths[row])
            for copy in range(1, 1 + copies):
                crops[row, copy], kinds[row, copy], strengths[row, copy] = degrade(
                    crops[row, 0], seed, row * copies + copy - 1
                )
        part = crops[start : start + CHUNK]
        flat = recogniser.embed(part.reshape(-1, SIZE, SIZE, 3))
        embeddings.append(flat.reshape(len(part), 1 + copies, -1))
    crops.flush()
    np.savez(
        out / "labels.npz",
        embeddings=np.concatenate(embeddings),
        identities=identities,
        kinds=kinds,
        strengths=strengths,
    )


def open_bank(folder: Path) -> Bank:
    """Open a bank written by `make_bank`; the crops stay on disk until they are read."""
    with np.load(folder / "labels.npz") as arrays:
        return Bank(
            crops=np.load(folder / "crops.npy", mmap_mode="r"),
            embeddings=arrays["embeddings"],
            identities=arrays["identities"],
            kinds=arrays["kinds"],
            strengths=arrays["strengths"],
        )


def main() -> None:
    """Make a bank from the command line."""
    parser = argparse.ArgumentParser(description="Make a bank of degraded, embedded crops.")
    parser.add_argument("--crops", type=Path, required=True, help="folder of identity folders")
    parser.add_argument("--recogniser", required=True, help="teacher, as INPUT:PATH")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--copies", type=int, default=5, help="degraded copies per crop")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    make_bank(
        options.crops,
        Recogniser.parse(options.recogniser),
        options.out,
        options.copies,
        options.seed,
    )


if __name__ == "__main__":
    main()
