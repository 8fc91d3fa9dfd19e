"""What kind of weights a file holds, told by its content."""

import zipfile
from pathlib import Path

from fiqa_cli.errors import FiqaError

ONNX, SAFETENSORS, TORCH, ZIP = "onnx", "safetensors", "torch", "zip"
GET_AGAIN = "copy or download it again"
"""The remedy for a damaged file."""
_LONGEST_HEADER = 100_000_000
"""Bytes, by the format's own rule."""


def weights_format(path: Path) -> str:
    """`onnx`, `safetensors`, `torch` (a state dict saved by torch) or `zip` (any other zip).

    Raises `FiqaError` for a file that is none of these or cannot be read.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise FiqaError(f"cannot read {path}: {error.strerror}") from error
    if head[:4] == b"PK\x03\x04":
        return TORCH if _saved_by_torch(path) else ZIP
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return TORCH
    # safetensors: the length of a JSON header as eight bytes, then that header.
    header = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and header <= _LONGEST_HEADER:
        if header > size - 8:
            raise FiqaError(
                f"{path} is cut off: it has {size} bytes and a header of {header}; {GET_AGAIN}"
            )
        return SAFETENSORS
    # ONNX is a protobuf message without a signature; its first field is the IR version.
    if len(head) == 16 and head[0] == 8 and 0 < head[1] < 64:
        return ONNX
    raise FiqaError(
        f"{path} is no weights file: expected ONNX, safetensors or a state dict saved by torch"
    )


def _saved_by_torch(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    # A damaged directory can fail anywhere inside zipfile.
    except Exception:
        return True
