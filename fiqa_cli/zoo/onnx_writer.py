"""Networks written as ONNX files."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fiqa_cli.errors import FiqaError

if TYPE_CHECKING:
    from torch import Tensor, nn

OPSET = 13
"""Old enough for every onnxruntime since 1.6 and for OpenCV's and other readers."""


def write_onnx(
    network: "nn.Module",
    example: "Tensor",
    path: Path,
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write `network`, in eval mode, as the ONNX file `path`: whole or not at all.

    Its only input is called `input` and has the shape of `example` but for the dynamic `axes` (name
    of an input or output: number and name of each axis). `metadata` joins the file's properties.
    Raises `FiqaError` if the package onnx is missing or the file cannot be written.
    """
    try:
        import onnx
    except ImportError as error:
        raise FiqaError("writing ONNX needs the package onnx: run: pip install onnx") from error
    import torch

    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            # The exporter that follows this one needs yet another package.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network,
                (example,),
                str(partial),
                input_names=["input"],
                output_names=list(outputs),
                dynamic_axes={name: dict(named) for name, named in axes.items()},
                opset_version=OPSET,
                dynamo=False,
            )
        if metadata:
            model = onnx.load(str(partial))
            onnx.helper.set_model_props(model, dict(metadata))
            onnx.save(model, str(partial))
        partial.replace(path)
    except OSError as error:
        raise FiqaError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
