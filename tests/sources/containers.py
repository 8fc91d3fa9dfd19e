"""Files that hold images, written by the formats' own libraries or by their documentation."""

import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from fiqa_cli.sources.decode import decode
from fiqa_cli.sources.entry import Entry, image_of
from fiqa_cli.sources.listing import expand
from sources.pictures import encoded


def photo(seed: int, side: int = 32) -> bytes:
    """A JPEG that no other seed gives."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return encoded(pixels, "JPEG")


PHOTOS = [photo(seed) for seed in range(6)]


def members(*inputs: object, **options: object) -> dict[str, bytes]:
    """Name and bytes of all images, none of which may be unreadable."""
    found = {}
    for entry in expand([str(each) for each in inputs], **options):  # type: ignore[arg-type]
        assert not entry.reason, entry
        content = image_of(entry)
        found[entry.path] = Path(content).read_bytes() if isinstance(content, str) else content
    return found


def reasons(*inputs: object) -> dict[str, str]:
    """What is not readable, and why: found while listing, reading or decoding."""
    found = {}
    for entry in expand([str(each) for each in inputs]):
        if reason := entry.reason or why_not(entry):
            found[entry.path] = reason
    return found


def why_not(entry: Entry) -> str:
    from fiqa_cli.sources.reasons import UnreadableImage

    try:
        decode(image_of(entry))
    except UnreadableImage as error:
        return str(error)
    return ""


def write_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def record(content: bytes, label: float | list[float], number: int) -> bytes:
    """One record: the IRHeader (`IfQQ`), labels if there are several, and the image."""
    if isinstance(label, list):
        head = struct.pack("<IfQQ", len(label), 0, number, 0)
        return head + struct.pack(f"<{len(label)}f", *label) + content
    return struct.pack("<IfQQ", 0, label, number, 0) + content


def record_io(body: bytes) -> bytes:
    """RecordIO as dmlc-core documents it: cut wherever the magic number stands, aligned to 4."""
    magic = struct.pack("<I", 0xCED7230A)
    cuts = [at for at in range(0, len(body) - 3, 4) if body[at : at + 4] == magic]
    parts = [body[a:b] for a, b in zip([0, *(at + 4 for at in cuts)], [*cuts, None], strict=True)]
    written = b""
    for number, part in enumerate(parts):
        first, last = number == 0, number == len(parts) - 1
        flag = 0 if first and last else 1 if first else 3 if last else 2
        written += magic + struct.pack("<I", flag << 29 | len(part)) + part
        written += bytes(-len(part) % 4)
    return written


def write_rec(path: Path, images: list[bytes], identities: int = 2, index: bool = True) -> Path:
    """A set as InsightFace writes it: record 0 says where images end and identities begin."""
    end = len(images) + 1
    records = [record(b"", [float(end), float(end + identities)], 0)]
    records += [record(image, [float(n % 2), 0.0], n) for n, image in enumerate(images, 1)]
    records += [record(b"", [1.0, 3.0], n) for n in range(end, end + identities)]
    content, lines = b"", ""
    for number, body in enumerate(records):
        lines += f"{number}\t{len(content)}\n"
        content += record_io(body)
    path.write_bytes(content)
    if index:
        path.with_suffix(".idx").write_text(lines)
    return path


def write_bin(path: Path, images: list[bytes]) -> Path:
    path.write_bytes(pickle.dumps((images, [True] * (len(images) // 2)), protocol=4))
    return path


def write_parquet(path: Path, images: list[bytes | None], layout: str, **options: object) -> Path:
    columns: dict[str, object] = {"label": list(range(len(images)))}
    if layout == "img2dataset":
        columns = {"key": [f"{n:09}" for n in range(len(images))], "jpg": images, **columns}
    else:
        columns["image"] = [{"bytes": image, "path": f"{n}.jpg"} for n, image in enumerate(images)]
    pq.write_table(pa.table(columns), path, **options)
    return path


def pixels_of(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
