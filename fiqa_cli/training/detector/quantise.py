"""A detector's convolutions in integers: twice as fast on a CPU and a quarter as large."""

import argparse
import contextlib
import io
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fiqa_cli.faces.detector import DETECTION_SIZE
from fiqa_cli.training.detector.canvases import Image
from fiqa_cli.training.detector.photos import photo_names, read_photo, split_photos

EXACT = "answers"
"""Layer of each head that stays in fp32."""
SEEN = 60
"""Photos that tell the ranges of the activations."""


def as_input(photo: Image) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The blob `[1, 3, 640, 640]` that insightface makes of a photo `[H, W, 3]` BGR."""
    import cv2

    scale = DETECTION_SIZE / max(photo.shape[:2])
    height, width = (max(1, int(side * scale)) for side in photo.shape[:2])
    canvas = np.zeros((DETECTION_SIZE, DETECTION_SIZE, 3), np.uint8)
    canvas[:height, :width] = cv2.resize(photo, (width, height))
    blob: np.ndarray[Any, np.dtype[np.float32]] = cv2.dnn.blobFromImage(
        canvas, 1 / 128, None, (127.5, 127.5, 127.5), swapRB=True
    )
    return blob


def quantise(model: Path, photos: Iterable[Image], path: Path) -> None:
    """Write the detector `model` to `path` with convolutions in integers, atomically.

    Activations get 8 bits, within the extremes that they reach on `photos` (BGR), weights 7, with a
    scale for each channel: with 8, sums would overflow on CPUs without VNNI, and scores depend on
    the CPU. The last layers, which tell scores, boxes and landmarks, stay in fp32.
    """
    import onnx
    from onnxruntime import quantization

    blobs = (as_input(photo) for photo in photos)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Any] | None:
            blob = next(blobs, None)
            return None if blob is None else {"input": blob}

    convolutions = [
        node.name for node in onnx.load(str(model)).graph.node if node.op_type == "Conv"
    ]
    exact = [name for name in convolutions if name.split("/")[-2] == EXACT]
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        written = Path(folder) / path.name
        # onnxruntime advises on standard output.
        with contextlib.redirect_stdout(io.StringIO()), _quiet():
            quantization.quantize_static(
                str(model),
                str(written),
                Reader(),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "Add", "Relu"],
                per_channel=True,
                reduce_range=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                nodes_to_exclude=exact,
                calibrate_method=quantization.CalibrationMethod.MinMax,
            )
        written.replace(path)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice of onnxruntime to preprocess: nothing is left to be folded."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def spread(names: Sequence[str], most: int = SEEN) -> list[str]:
    """At most `most` of `names`, evenly spaced."""
    return list(names[:: max(1, -(-len(names) // most))])


def main() -> None:
    """Write a detector's convolutions in integers, their ranges learnt from training photos."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--onnx", type=Path, required=True, help="what `export` wrote")
    parser.add_argument("--quantised", type=Path, required=True, help="file to write")
    options = parser.parse_args()
    names = spread(split_photos(photo_names(options.photos)).training)
    photos = (read_photo(options.photos / name) for name in names)
    quantise(options.onnx, photos, options.quantised)


if __name__ == "__main__":
    main()
