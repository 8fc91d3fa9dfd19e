"""Everything of fiqa that reads files which others wrote, each with whole files to break."""

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from fiqa_cli.errors import FiqaError
from fiqa_cli.sources.reasons import UnreadableImage
from hostile.seeds import seeds

TOLD = (FiqaError, UnreadableImage)
"""What a reader may raise: one line for people."""


@dataclass(frozen=True)
class FileReader:
    """How files are read whose name ends in `suffix`, and whole ones."""

    suffix: str
    read: Callable[[Path], object]
    files: tuple[bytes, ...]


def survive(reader: FileReader, path: Path, content: bytes) -> bool:
    """Let `reader` read `content`; whether it could. Anything but one line for people is raised."""
    path.write_bytes(content)
    try:
        reader.read(path)
    except TOLD as error:
        assert "\n" not in str(error).strip() or len(str(error)) < 2_000, str(error)
        return False
    return True


@cache
def readers() -> dict[str, FileReader]:
    """By name."""
    return {
        "image": FileReader(".jpg", _image, tuple(content for _, content in seeds().values())),
        "container.tar": FileReader(".tar", _entries, (_tar(),)),
        "container.rec": FileReader(".rec", _entries, (_written("rec"),)),
        "container.bin": FileReader(".bin", _entries, (_written("bin"),)),
        "container.parquet": FileReader(".parquet", _entries, (_written("parquet"),)),
        "list": FileReader(".txt", _list, (b"a.jpg\nb/\n./@c\r\n\xff\n",)),
        "report": FileReader(".csv", _report, _reports()),
        "embeddings": FileReader(".npz", _embeddings, _embedded()),
        "journal": FileReader(".jsonl", _journal, _journals()),
        "manifest": FileReader(".json", _manifest, (_manifested(),)),
        "moves": FileReader("", _moves, (_moved(),)),
        "settings": FileReader(".toml", _settings, (b'[score]\nmodel = "a"\nmin-face = 20\n',)),
        "pairs.txt": FileReader(
            ".txt", _lfw, (b"1\t1\nann\t1\t2\nann\t1\tbob\t3\n", b"ann\t1\t2\n")
        ),
        "pair list": FileReader(".csv", _pairs, (b"a,b,mated,similarity\nx,y,1,0.5\nx,z,0,\n",)),
        "weights": FileReader(".pth", _weights, _weighed()),
    }


def _image(path: Path) -> None:
    from fiqa_cli.sources.decode import decode

    pixels = decode(str(path))
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3


def _entries(path: Path) -> None:
    from fiqa_cli.sources.decode import decode
    from fiqa_cli.sources.entry import image_of
    from fiqa_cli.sources.listing import expand

    for number, entry in enumerate(expand([str(path)])):
        assert number < 1_000
        if not entry.reason:
            try:
                decode(image_of(entry))
            except UnreadableImage as error:
                assert "\n" not in str(error)


def _list(path: Path) -> None:
    from fiqa_cli.sources.listing import _paths  # a list may name folders of any size

    with path.open("rb") as stream:
        for name in _paths(stream, False, "list"):
            assert "\n" not in name


def _report(path: Path) -> None:
    from fiqa_cli.records.readers import open_reader

    with open_reader(path) as reader:
        for batch in reader:
            assert len(batch.records()) == len(batch)


def _embeddings(path: Path) -> None:
    from fiqa_cli.records.embeddings import read_embeddings

    read_embeddings(path)


def _journal(path: Path) -> None:
    from fiqa_cli.records.journal import done_rows
    from fiqa_cli.records.row import COLUMNS

    for format in ("csv", "jsonl"):
        try:
            ends = [done.end for done in done_rows(path, format, COLUMNS)]
        except FiqaError:
            continue
        assert ends == sorted(ends)


def _manifest(path: Path) -> None:
    from fiqa_cli.records.manifest import difference, read_manifest

    output = path.with_name("a.csv")
    path.replace(path.with_name("a.csv.manifest.json"))
    manifest = read_manifest(output)
    assert manifest is not None
    difference(manifest, manifest)


def _moves(path: Path) -> None:
    from fiqa_cli.records.transfer_journal import NAME, read_runs

    path.replace(path.with_name(NAME))
    read_runs(path.parent)


def _settings(path: Path) -> None:
    from fiqa_cli.cli.settings import read_settings

    path.replace(path.with_name("fiqa.toml"))
    read_settings(path.parent, {"score": ["model", "min_face"]})


def _lfw(path: Path) -> None:
    from fiqa_cli.evaluation.lfw_pairs import read_lfw_pairs

    read_lfw_pairs(path)


def _pairs(path: Path) -> None:
    from fiqa_cli.evaluation.pair_list import read_pair_list

    read_pair_list(path)


def _weights(path: Path) -> None:
    from fiqa_cli.zoo.state import load_state_dict

    load_state_dict(path)


def _tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in ("jpeg", "png", "gif"):
            member = tarfile.TarInfo(f"a/{name}.jpg")
            member.size = len(seeds()[name][1])
            archive.addfile(member, io.BytesIO(seeds()[name][1]))
    return stream.getvalue()


def _written(kind: str) -> bytes:
    from sources.containers import write_bin, write_parquet, write_rec

    images = [seeds()[name][1] for name in ("jpeg", "png", "gif", "jpeg")]
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{kind}"
        if kind == "rec":
            write_rec(path, images, index=False)
        elif kind == "bin":
            write_bin(path, images)
        else:
            write_parquet(path, list(images), "huggingface")
        return path.read_bytes()


def _reports() -> tuple[bytes, ...]:
    from fiqa_cli.records.row import Row
    from fiqa_cli.records.writers import open_writer

    rows = [Row("a.jpg", 0, quality=0.5, det_score=0.9), Row('b"\n\udce9.jpg', error="=1+1")]
    found = []
    with TemporaryDirectory() as folder:
        for format in ("csv", "json", "jsonl", "parquet"):
            path = Path(folder) / format
            with open_writer(path, format) as writer:
                writer.write(rows)
            found.append(path.read_bytes())
    return tuple(found)


def _journals() -> tuple[bytes, ...]:
    return _reports()[0], _reports()[2]


def _embedded() -> tuple[bytes, ...]:
    from fiqa_cli.records.embedding_writers import open_embedding_writer
    from fiqa_cli.records.row import Row

    found = []
    with TemporaryDirectory() as folder:
        for name in ("a.npz", "a.parquet"):
            with open_embedding_writer(Path(folder) / name, "fr-n", "0" * 64) as writer:
                writer.write(Row("a.jpg", 0), np.arange(8, dtype=np.float32))
                writer.write(Row("b.jpg", status="no-face"), None)
            found.append((Path(folder) / name).read_bytes())
    return tuple(found)


def _manifested() -> bytes:
    from fiqa_cli.records.manifest import Artefact, Manifest, manifest_path, write_manifest

    with TemporaryDirectory() as folder:
        output = Path(folder) / "a.csv"
        write_manifest(output, Manifest({"aligned": True}, Artefact("m", "0" * 64), seed=1))
        return manifest_path(output).read_bytes()


def _moved() -> bytes:
    lines = [
        {"run": "2026-01-01T00:00:00+00:00"},
        {"act": "move", "source": "/a/1.jpg", "target": "/b/1.jpg"},
        {"done": "/b/1.jpg", "state": [10, 20]},
        {"act": "copy", "source": "/a/2.jpg", "target": "/b/2.jpg"},
        {"failed": "/b/2.jpg"},
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _weighed() -> tuple[bytes, ...]:
    import torch
    from safetensors.torch import save

    state = {"a.weight": torch.ones(2, 3), "a.bias": torch.zeros(2)}
    stream = io.BytesIO()
    torch.save({"state_dict": state}, stream)
    return stream.getvalue(), save(state)
