"""Face detection by insightface, from a model package on this machine."""

import contextlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.faces.face import Face

DETECTION_THRESHOLD = 0.5
DETECTION_SIZE = 640
STRIDE = 32
"""Pixels; the sides of a detector's input are multiples of it."""


class Detector:
    """The detector of an insightface package; safe to call from several threads."""

    def __init__(
        self,
        package: Path,
        size: int = DETECTION_SIZE,
        threshold: float = DETECTION_THRESHOLD,
        gpu: bool = False,
    ) -> None:
        """Load the package's detector; images are scaled to fit `size`×`size` pixels for it.

        `package` is a folder or the detector's file itself. `size` is a multiple of 32; faces
        with a score below `threshold` are left out. Raises FiqaError if there is no detector with
        landmarks, or insightface is missing.
        """
        if size < STRIDE or size % STRIDE:
            raise FiqaError(f"detection size {size} is not a multiple of {STRIDE}; try 640")
        self.size = size
        """Pixels that the longer side of an image is scaled to."""
        self._threshold = threshold
        self.file = find_detector_file(package)
        self._model = load_model(self.file, gpu)
        self._model.prepare(ctx_id=0 if gpu else -1, input_size=(size, size), det_thresh=threshold)

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """The faces in an upright RGB image, uint8 `[H, W, 3]`, in order of falling score."""
        import cv2

        height, width = image.shape[:2]
        if min(height, width) * self.size < max(height, width):
            return []  # so narrow that scaling to the detector's size leaves no row of pixels
        # insightface reads BGR, as OpenCV does
        boxes, landmarks = self._model.detect(
            cv2.cvtColor(image, cv2.COLOR_RGB2BGR), input_size=self._input_size(width, height)
        )
        return [
            Face(box[:4], float(box[4]), points)
            for box, points in zip(boxes, landmarks, strict=True)
            if np.isfinite(box).all() and np.isfinite(points).all()
        ]

    def _input_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the detector's input: no more of the square than the image fills."""
        longer = max(width, height)
        return _filled(width, longer, self.size), _filled(height, longer, self.size)


def _filled(side: int, longer: int, size: int) -> int:
    """`side` in an image whose longer side is scaled to `size`, up to a whole `STRIDE`."""
    return -(-side * size // (longer * STRIDE)) * STRIDE


def find_detector_file(package: Path) -> Path:
    """The SCRFD detector with landmarks in the folder of an insightface package.

    insightface calls them `det_*.onnx` or `scrfd_*.onnx`. A `package` that is a file is meant
    itself. Raises FiqaError if there is none.
    """
    if package.is_file():
        return package
    files = [*sorted(package.glob("det*.onnx")), *sorted(package.glob("scrfd*.onnx"))]
    if not files:
        raise FiqaError(f"{package} holds no detector (det*.onnx); choose another with --detector")
    return files[0]


def load_model(file: Path, gpu: bool = False) -> Any:
    """insightface's model of the SCRFD detector in `file`, ready for `prepare`.

    Raises FiqaError if it is none, or insightface is missing.
    """
    # Some versions of insightface report on stdout, which belongs to the rows.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            import onnxruntime
            from insightface.model_zoo import get_model
        except ImportError as error:
            raise FiqaError(
                f"detection needs insightface and onnxruntime ({error}); install them with "
                "`pip install insightface onnxruntime`, or pass --aligned for aligned crops"
            ) from error
        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        # One thread a call: images are detected side by side, which scales better.
        options.intra_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        if gpu and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            providers.insert(0, "CUDAExecutionProvider")
        try:
            # One session for inputs of all sizes: insightface would load another for each.
            model = get_model(
                str(file),
                providers=providers,
                sess_options=options,
                static_shape_sessions=False,
            )
        except Exception as error:  # onnxruntime's errors have no base of their own
            raise FiqaError(f"{file} cannot be read as an ONNX model: {error}") from error
    if getattr(model, "taskname", None) != "detection" or not getattr(model, "use_kps", False):
        raise FiqaError(f"{file} is no SCRFD detector with landmarks; try --detector scrfd-n")
    return model
