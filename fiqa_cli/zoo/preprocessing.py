"""What the pixels of a weights file are to be, by name; and how an ONNX file tells."""

from enum import StrEnum
from pathlib import Path

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.model import Preprocessing


class Pixels(StrEnum):
    """The pixels that a network was trained on; RGB, unless the name says otherwise."""

    HALF = "half"
    """(x / 255 - 0.5) / 0.5, in [-1, 1]: ArcFace, CosFace and most others."""
    RAW = "raw"
    """0 to 255: the network scales them itself."""
    IMAGENET = "imagenet"
    """(x / 255 - mean) / std, with mean and deviation of ImageNet."""
    HALF_BGR = "half-bgr"
    """As `half`, blue first: AdaFace."""


_HALF = (0.5, 0.5, 0.5)
PREPROCESSING = {
    Pixels.HALF: Preprocessing(112, "RGB", _HALF, _HALF),
    Pixels.RAW: Preprocessing(112, "RGB", (0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
    Pixels.IMAGENET: Preprocessing(112, "RGB", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    Pixels.HALF_BGR: Preprocessing(112, "BGR", _HALF, _HALF),
}


def pixels_of_onnx(path: Path) -> Pixels:
    """The pixels an ONNX recogniser expects, by insightface's rule: `raw` or `half`.

    A graph that begins by subtracting from its input and scaling it takes raw pixels. Raises
    `FiqaError` if the file cannot be read, or the package onnx is missing.
    """
    try:
        import onnx
    except ImportError as error:
        raise FiqaError(
            f"to see what pixels {path.name} expects, run: python -m pip install onnx; "
            f"or say it: --preprocessing {'|'.join(Pixels)}"
        ) from error
    try:
        graph = onnx.load(path, load_external_data=False).graph
    # The parser's exception is not part of onnx's interface.
    except Exception as error:
        raise FiqaError(f"{path} is no ONNX network that onnx can read") from error
    weights = {each.name for each in graph.initializer}
    value = next((each.name for each in graph.input if each.name not in weights), "")
    seen = set()
    for node in graph.node:
        if node.op_type == "Constant":
            continue
        if value not in node.input or node.op_type not in ("Sub", "Mul", "Div", "Identity"):
            break
        seen.add(node.op_type)
        value = node.output[0]
    return Pixels.RAW if "Sub" in seen and seen & {"Mul", "Div"} else Pixels.HALF
