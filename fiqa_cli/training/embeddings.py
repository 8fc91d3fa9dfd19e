"""Embeddings of face crops by a frozen recogniser, the teacher or a judge."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fiqa_cli.methods.embedder import Embedder
from fiqa_cli.methods.loaded_recogniser import load_recogniser
from fiqa_cli.methods.precision import Precision
from fiqa_cli.training.batches import channels_first
from fiqa_cli.training.inner_features import write_inner_features
from fiqa_cli.training.parallel import THIS, Processes
from fiqa_cli.training.pictures import Pictures
from fiqa_cli.zoo.checksum import cached_sha256
from fiqa_cli.zoo.preprocessing import Pixels
from fiqa_cli.zoo.registry import resolve
from fiqa_cli.zoo.store import locate

CHUNK = 512


@dataclass(frozen=True)
class Teacher:
    """A frozen recogniser; ready to embed crops as files hold them."""

    name: str
    sha256: str
    """Of its weights."""
    embedder: Embedder

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed crops `[N, 112, 112, 3]` RGB as `[N, D]`, not normalised: the norm is kept."""
        return np.concatenate(
            [
                self.embedder.embed(channels_first(crops[first : first + CHUNK])).numpy()
                for first in range(0, len(crops), CHUNK)
            ]
        )

    def embed_pictures(
        self, pictures: Pictures, file: Path, processes: Processes = THIS
    ) -> NDArray[np.float32]:
        """Embed every picture: `[crops, columns, D]`; each process embeds its share of them.

        What was found is kept in `file`, `.npz`, and read from there as long as the pictures and
        the recogniser are the same.
        """
        key = self._key(pictures)
        if file.is_file():
            with np.load(file) as kept:
                if str(kept["key"]) == key:
                    return np.asarray(kept["embeddings"])
        processes.wait()  # for the slowest to have looked, before there is a file
        mine = range(processes.rank * CHUNK, len(pictures), processes.count * CHUNK)
        parts = [
            self.embed(pictures.read(range(first, min(first + CHUNK, len(pictures)))))
            for first in mine
        ]
        found = np.concatenate(processes.interleave(parts))
        found = found.reshape(len(pictures.crops), pictures.columns, -1)
        if processes.is_first:
            partial = file.with_suffix(".partial.npz")
            np.savez(partial, embeddings=found, key=key)
            partial.replace(file)
        return found

    def _key(self, pictures: Pictures) -> str:
        digest = hashlib.sha256(self.sha256.encode())
        digest.update(f"{pictures.copies} {pictures.seed}\n".encode())
        for entry in pictures.crops.entries:
            digest.update(f"{entry.path}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def open_teacher(
    recogniser: str, device: torch.device | None = None, pixels: Pixels | None = None
) -> Teacher:
    """The recogniser of that name in the registry, or in a weights file, ONNX included.

    A file may say what pixels it expects: `raw:judge.onnx` is `judge.onnx` with `Pixels.RAW`.
    It runs in fp32. Raises `FiqaError` if there is no such recogniser.
    """
    if pixels is None:
        recogniser, pixels = _parted(recogniser)
    device = device or torch.device("cpu")
    loaded = load_recogniser(recogniser, device, Precision.FP32, pixels)
    return Teacher(Path(recogniser).stem, cached_sha256(loaded.file), Embedder(loaded, device))


def open_inner_features(
    recogniser: str, file: Path, device: torch.device, processes: Processes = THIS
) -> Teacher:
    """A teacher whose embeddings are the inner features of an ONNX recogniser, `[N, F]`.

    The graph that gives them is written to `file`. `recogniser` as for `open_teacher`. Raises
    `FiqaError` if there is no such recogniser, or it is no ONNX file with residual stages.
    """
    name, pixels = _parted(recogniser)
    if processes.is_first:
        write_inner_features(locate(resolve(name, kind="recogniser")), file)
    processes.wait()
    return open_teacher(str(file), device, pixels)


def _parted(recogniser: str) -> tuple[str, Pixels | None]:
    """Name or file, and the pixels that may stand before a file."""
    kind, _, file = recogniser.partition(":")
    return (file, Pixels(kind)) if file and kind in set(Pixels) else (recogniser, None)


def normalised(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row to unit length."""
    length = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    return np.asarray(embeddings / np.maximum(length, 1e-12), np.float32)


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine in [-1, 1] between the rows of `a` and of `b`, both `[N, D]`."""
    return np.asarray((normalised(a) * normalised(b)).sum(-1), np.float32)
