"""Runs of `fiqa score` that were interrupted, and what they must become."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fiqa_cli.cli.main import main
from fiqa_cli.sources.decode import decode_reduced
from fiqa_cli.sources.isolation import Limits
from fiqa_cli.sources.picture import Picture
from pipeline.fakes import Corners

FORMATS = ("csv", "jsonl", "parquet")


def noise(path: str, seed: int, faces: int = 0, size: tuple[int, int] = (112, 112)) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    image[0, 0, 0] = faces
    Image.fromarray(image).save(path, "PNG", compress_level=0)


class Planted(Corners):
    """Finds as many faces as the top left pixel says; its weights are this very file."""

    file = Path(__file__)

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__()


class PlainDecoder:
    """Decodes in this process: most runs of these tests are too short for one of their own."""

    def __init__(self, limits: Limits) -> None:
        pass

    def decode_reduced(self, image: str | bytes, at_least: int | None) -> Picture:
        return decode_reduced(image, at_least)

    def stop(self) -> None:
        pass


def here(*arguments: str | Path) -> int | None:
    """Run the command line in this process; the exit code."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr("sys.argv", ["fiqa", *map(str, arguments)])
        main()
    code: int | None = end.value.code  # type: ignore[assignment]
    return code


def score(photos: Path, output: Path, *more: str) -> int | None:
    command = ("score", photos, "-m", "sharpness", "--batch-size", "4", "-q", "-o", output)
    return here(*command, *more)


def cut_off(whole: Path, folder: Path, format: str, size: int, ended: bool = False) -> Path:
    """What a run leaves that loses its power when it has written `size` bytes."""
    output = folder / f"a.{format}"
    manifest = json.loads((whole / f"{output.name}.manifest.json").read_bytes())
    if not ended:
        manifest |= {"ended": None, "counts": {}}
    (folder / f"{output.name}.manifest.json").write_text(json.dumps(manifest))
    journal = folder / f".{output.name}.rows" if format == "parquet" else output
    journal.write_bytes((whole / f"a.{kept_as(format)}").read_bytes()[:size])
    return output


def kept_as(format: str) -> str:
    return "jsonl" if format == "parquet" else format


def size_of(whole: Path, format: str) -> int:
    return (whole / f"a.{kept_as(format)}").stat().st_size


def assert_whole(output: Path, whole: Path) -> None:
    expected = whole / output.name
    assert_same_rows(output, expected)
    found, wanted = (
        json.loads(path.with_name(f"{path.name}.manifest.json").read_bytes())
        for path in (output, expected)
    )
    assert found["counts"] == wanted["counts"]
    assert found["ended"] >= found["started"] == wanted["started"]
    assert {path.name for path in output.parent.iterdir()} == {
        output.name,
        f"{output.name}.manifest.json",
    }


def assert_same_rows(output: Path, expected: Path) -> None:
    if output.suffix == ".parquet":
        assert pq.read_table(output).equals(pq.read_table(expected))
    else:
        assert output.read_bytes() == expected.read_bytes()
