"""Images with faces that a fake detector finds, and their reports."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.interruption import FORMATS, PlainDecoder, Planted, noise, score
from fiqa_cli.pipeline import crop_source, flow


@pytest.fixture(scope="module")
def planted() -> Iterator[None]:
    """For a module: the fake detector, and full batches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crop_source, "Detector", Planted)
        patch.setattr(crop_source, "IsolatedDecoder", PlainDecoder)
        # A machine under load must not make a batch that is not full.
        patch.setattr(flow, "IDLE", 60)
        yield


@pytest.fixture(scope="module")
def photos(planted: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of no face to five, and files that are none, under names that make trouble."""
    folder = tmp_path_factory.mktemp("photos")
    names = [b"%02d.png" % number for number in range(14)]
    names += [b"line\nfeed.png", b"latin\xe9.png", b"=1+1.png", b'q"\n"q.png', b"zz.png"]
    for seed, name in enumerate(names):
        path = os.fsdecode(os.path.join(os.fsencode(folder), name))
        noise(path, seed, faces=(2, 0, 5, 1, 0, 3)[seed % 6], size=(120, 130))
    (folder / "05.png").write_text("no image at all\n")
    (folder / "13.png").write_text("")
    return folder


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what an uninterrupted run gives in each format."""
    folder = tmp_path_factory.mktemp("whole")
    for format in FORMATS:
        assert score(photos, folder / f"a.{format}") == 1
    return folder


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of images that are opened."""
    paths: list[str] = []
    decode = PlainDecoder.decode_reduced

    def watched(decoder: PlainDecoder, path: str, at_least: int | None) -> Any:
        paths.append(path)
        return decode(decoder, path, at_least)

    monkeypatch.setattr(PlainDecoder, "decode_reduced", watched)
    return paths
