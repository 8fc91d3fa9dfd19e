"""Networks that come as an ONNX file, run by onnxruntime."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiqa_cli.errors import FiqaError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class OnnxNetwork:
    """An exported network: `[N, 3, 112, 112]` float32 to `[N]` or `[N, D]` float32."""

    def __init__(self, session: Any, output: str, *, embeds: bool) -> None:
        """Run `session` for its `output`: an embedding per crop, or else a single number."""
        self._session = session
        self._output = output
        self._shape = (-1,) if embeds else ()
        given = session.get_inputs()[0]
        self._input = given.name
        self._batch = given.shape[0] if isinstance(given.shape[0], int) else None

    def __call__(self, crops: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """Run preprocessed crops; an export with a fixed batch is run batch by batch."""
        import numpy as np

        crops = np.ascontiguousarray(crops, dtype=np.float32)
        if not len(crops):
            return np.empty((0, *(0 for _ in self._shape)), np.float32)
        # A fixed batch takes no smaller one: the last is filled up by repeating its last crop.
        step = self._batch or len(crops)
        return np.concatenate(
            [self._run(crops[start : start + step], step) for start in range(0, len(crops), step)]
        )

    def _run(self, crops: "NDArray[np.float32]", step: int) -> "NDArray[np.float32]":
        import numpy as np

        short = step - len(crops)
        filled = np.concatenate([crops, np.repeat(crops[-1:], short, axis=0)]) if short else crops
        found = self._session.run([self._output], {self._input: filled})[0]
        try:
            rows = found.reshape(step, *self._shape)
        except ValueError:
            raise FiqaError(f"the ONNX network gave {found.shape} for {step} crops") from None
        return np.asarray(rows[: len(crops)], dtype=np.float32)


def load_onnx_quality(path: Path, device: str = "cpu") -> OnnxNetwork:
    """A public ONNX export of a quality network, on `device` (`cpu`, `cuda`): crops to `[N]`.

    It has one input `[N, 3, 112, 112]` and gives the quality as output `quality` or as its only
    output. Raises `FiqaError` if that is not so, or if onnxruntime is missing.
    """
    session = _open(path, device, "quality network")
    outputs = [output.name for output in session.get_outputs()]
    if "quality" not in outputs and len(outputs) != 1:
        raise FiqaError(f"{path} gives {', '.join(outputs)}: a quality network gives 'quality'")
    output = "quality" if "quality" in outputs else outputs[0]
    return OnnxNetwork(session, output, embeds=False)


def load_onnx_recogniser(path: Path, device: str = "cpu") -> OnnxNetwork:
    """An ONNX recogniser, on `device` (`cpu`, `cuda`): crops to embeddings `[N, D]`.

    It has one input `[N, 3, 112, 112]` and one output. On a CPU it computes with a single thread,
    for callers that run it in several. Raises `FiqaError` if that is not so, or if onnxruntime is
    missing.
    """
    session = _open(path, device, "recogniser", threads=1)
    outputs = [output.name for output in session.get_outputs()]
    if len(outputs) != 1:
        raise FiqaError(f"{path} gives {', '.join(outputs)}: a recogniser gives one embedding")
    return OnnxNetwork(session, outputs[0], embeds=True)


def _open(path: Path, device: str, what: str, threads: int = 0) -> Any:
    """A session for a network of crops; `threads` 0 is one for each core."""
    try:
        import onnxruntime
    except ImportError as error:
        raise FiqaError(
            f"{path.name} needs onnxruntime: run: python -m pip install onnxruntime"
        ) from error
    providers = ["CPUExecutionProvider"]
    if device.startswith("cuda"):
        providers.insert(0, "CUDAExecutionProvider")
    if not set(providers) <= set(onnxruntime.get_available_providers()):
        raise FiqaError(
            f"this onnxruntime cannot use {device}: install onnxruntime-gpu or use --device cpu"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    # onnxruntime raises classes of its own that share no base but Exception.
    except Exception as error:
        raise FiqaError(f"{path} is no ONNX network that onnxruntime can read") from error
    inputs = session.get_inputs()
    wanted = [("tensor(float)", [3, 112, 112])]
    if [(each.type, list(each.shape[1:])) for each in inputs] != wanted:
        given = ", ".join(f"{each.type} {each.shape}" for each in inputs)
        raise FiqaError(f"{path} takes {given}: a {what} takes one tensor(float) [N, 3, 112, 112]")
    return session
