"""Embeddings of face crops by a frozen ONNX recogniser, the teacher or a judge."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError

# Mean and divisor of the RGB values 0-255, per channel.
INPUTS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "raw": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "half": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
}


@dataclass(frozen=True, slots=True)
class Recogniser:
    """An ONNX recogniser and the input it expects, one of `INPUTS`."""

    path: Path
    input: str

    @classmethod
    def parse(cls, text: str) -> "Recogniser":
        """Read `INPUT:PATH`, such as `raw:recogniser.onnx`; raises `FiqaError` if it is not."""
        kind, _, path = text.partition(":")
        if kind not in INPUTS or not path:
            raise FiqaError(f"{text}: expected INPUT:PATH with INPUT one of {', '.join(INPUTS)}")
        return cls(Path(path), kind)

    def embed(
        self, crops: NDArray[np.uint8], threads: int = 1, batch: int = 32
    ) -> NDArray[np.float32]:
        """Embed crops `[N, 112, 112, 3]` RGB as `[N, D]`, not normalised: the norm is kept."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            str(self.path), options, providers=["CPUExecutionProvider"]
        )
        name = session.get_inputs()[0].name
        mean, divisor = (np.array(v, np.float32) for v in INPUTS[self.input])
        parts = []
        for start in range(0, len(crops), batch):
            values = (crops[start : start + batch].astype(np.float32) - mean) / divisor
            channels_first = np.ascontiguousarray(values.transpose(0, 3, 1, 2))
            parts.append(session.run(None, {name: channels_first})[0])
        return np.concatenate(parts)


def normalised(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row to unit length."""
    length = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    return np.asarray(embeddings / np.maximum(length, 1e-12), np.float32)


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine in [-1, 1] between the rows of `a` and of `b`, both `[N, D]`."""
    return np.asarray((normalised(a) * normalised(b)).sum(-1), np.float32)
