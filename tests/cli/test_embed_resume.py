"""`fiqa embed --resume`: an interrupted run goes on to the file of an uninterrupted one."""

import json
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.command import FIQA, fiqa
from cli.interruption import PlainDecoder, here, noise, score
from fiqa_cli.records.embeddings import read_embeddings

FILES = ("e.npz", "e.parquet")


def embed(images: Path, output: Path, *more: str) -> int | None:
    return here("embed", images, "--batch-size", "4", "-q", "-o", output, *more)


def manifest_of(output: Path) -> Path:
    return output.with_name(f"{output.name}.manifest.json")


def journal_of(output: Path) -> Path:
    return output.with_name(f".{output.name}.rows")


@pytest.fixture(scope="module")
def embedded(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what an uninterrupted run gives, and the journals it had."""
    folder = tmp_path_factory.mktemp("embedded")
    for name in FILES:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "unlink", lambda path, missing_ok=False: None)
            assert embed(photos, folder / name) == 1
    return folder


def cut_off(embedded: Path, folder: Path, name: str, size: int) -> Path:
    """What a run leaves that loses its power when `size` bytes of its journal are written."""
    output = folder / name
    manifest = json.loads(manifest_of(embedded / name).read_bytes())
    manifest_of(output).write_text(json.dumps(manifest | {"ended": None, "counts": {}}))
    journal_of(output).write_bytes(journal_of(embedded / name).read_bytes()[:size])
    return output


def finished(embedded: Path, folder: Path, name: str) -> Path:
    """A run that has ended."""
    shutil.copy(manifest_of(embedded / name), folder)
    return Path(shutil.copy(embedded / name, folder))


def size_of(embedded: Path, name: str) -> int:
    return journal_of(embedded / name).stat().st_size


def assert_whole(output: Path, expected: Path) -> None:
    assert output.read_bytes() == expected.read_bytes()
    found, wanted = (json.loads(manifest_of(path).read_bytes()) for path in (output, expected))
    assert found["counts"] == wanted["counts"]
    assert found["ended"] >= found["started"]
    assert set(output.parent.iterdir()) == {output, manifest_of(output)}


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=12, deadline=None)
@given(part=st.floats(0, 1))
def test_a_journal_cut_off_at_any_byte_gives_the_same_file(
    photos: Path, embedded: Path, name: str, part: float
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        size = round(part * size_of(embedded, name))
        output = cut_off(embedded, Path(folder), name, size)
        assert embed(photos, output, "--resume") == 1
        assert_whole(output, embedded / name)


@pytest.mark.parametrize("name", FILES)
def test_images_that_are_done_are_not_opened(
    photos: Path, embedded: Path, tmp_path: Path, name: str, decoded: list[str]
) -> None:
    output = cut_off(embedded, tmp_path, name, size_of(embedded, name) - 10)
    assert embed(photos, output, "--resume") == 1
    assert_whole(output, embedded / name)
    assert 1 <= len(decoded) <= 6


@pytest.mark.parametrize("name", FILES)
def test_a_complete_file_is_left_alone(
    photos: Path,
    embedded: Path,
    tmp_path: Path,
    name: str,
    decoded: list[str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    output = finished(embedded, tmp_path, name)
    before = output.stat().st_mtime_ns
    assert embed(photos, output, "--resume") == 1  # an image is unreadable, as before
    assert decoded == []
    assert output.stat().st_mtime_ns == before
    assert_whole(output, embedded / name)
    assert f"{name} is complete: nothing to do" in capfd.readouterr().err


@pytest.mark.parametrize("name", FILES)
def test_images_that_come_after_the_end_are_added(
    photos: Path, tmp_path: Path, name: str, decoded: list[str]
) -> None:
    """The journal is made anew from the file, with the rows that have no embedding in place."""
    grown = Path(shutil.copytree(photos, tmp_path / "photos"))
    resumed, expected = (tmp_path / folder / name for folder in ("resumed", "expected"))
    for path in (resumed, expected):
        path.parent.mkdir()
    least = ("--min-face", "20")  # every first face found is too small
    assert embed(grown, resumed, *least) == 1
    noise(str(grown / "zzz.png"), 99, faces=3, size=(120, 130))
    assert embed(grown, expected, *least) == 1
    decoded.clear()
    assert embed(grown, resumed, *least, "--resume") == 1
    assert_whole(resumed, expected)
    assert str(grown / "zzz.png") in decoded
    assert len(decoded) <= 7


@pytest.mark.parametrize("name", FILES)
def test_ctrl_c_keeps_what_was_embedded_and_can_be_resumed(
    photos: Path, embedded: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / name
    decode = PlainDecoder.decode_reduced

    def interrupted(decoder: PlainDecoder, path: str, at_least: int | None) -> Any:
        if path.endswith("08.png"):
            raise KeyboardInterrupt
        return decode(decoder, path, at_least)

    monkeypatch.setattr(PlainDecoder, "decode_reduced", interrupted)
    assert embed(photos, output) == 130
    kept, whole = read_embeddings(output), read_embeddings(embedded / name)
    assert len(kept.paths) >= 4
    assert kept.paths == whole.paths[: len(kept.paths)]
    np.testing.assert_array_equal(kept.vectors, whole.vectors[: len(kept.paths)])
    monkeypatch.setattr(PlainDecoder, "decode_reduced", decode)
    assert embed(photos, output, "--resume") == 1
    assert_whole(output, embedded / name)


def no_manifest(output: Path) -> None:
    manifest_of(output).unlink()


def other_weights(output: Path) -> None:
    manifest = json.loads(manifest_of(output).read_bytes())
    manifest["recogniser"]["sha256"] = "0" * 64
    manifest_of(output).write_text(json.dumps(manifest))


def cut_short(output: Path) -> None:
    output.write_bytes(output.read_bytes()[:-100])


def nothing(output: Path) -> None:
    pass


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("spoil", "more", "told"),
    [
        (no_manifest, (), ".manifest.json to tell how it came about"),
        (other_weights, (), "was begun with recogniser sha256 000"),
        (cut_short, (), "is not what a whole run of fiqa embed leaves"),
        (nothing, ("--with-flip",), "was begun with with_flip False, not True"),
        (nothing, ("--faces", "best"), "was begun with faces all, not best"),
    ],
)
def test_a_file_of_another_run_is_refused_and_left_alone(
    photos: Path,
    embedded: Path,
    tmp_path: Path,
    name: str,
    spoil: Callable[[Path], None],
    more: tuple[str, ...],
    told: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    output = finished(embedded, tmp_path, name)
    spoil(output)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert embed(photos, output, "--resume", *more) == 2
    error = capfd.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_journal_of_scores_is_refused(
    photos: Path, embedded: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = cut_off(embedded, tmp_path, "e.parquet", 0)
    assert score(photos, tmp_path / "a.jsonl") == 1
    (tmp_path / "a.jsonl").replace(journal_of(output))
    assert embed(photos, output, "--resume") == 2
    error = capfd.readouterr().err
    assert "without its embedding" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("name", FILES)
def test_killed_and_resumed(tmp_path: Path, name: str) -> None:
    crops = tmp_path / "crops"
    crops.mkdir()
    for number in range(150):
        noise(str(crops / f"{number:03}.png"), number)
    output, expected = (tmp_path / folder / name for folder in ("killed", "whole"))
    for path in (output, expected):
        path.parent.mkdir()
    command = ("embed", str(crops), "--aligned", "--batch-size", "8", "-q", "-o")
    assert fiqa(*command, str(expected)).returncode == 0
    journal = journal_of(output)
    count = random.randrange(1, 60)
    with subprocess.Popen([FIQA, *command, str(output)]) as run:
        while run.poll() is None:
            if journal.exists() and journal.read_bytes().count(b"\n") >= count:
                run.send_signal(signal.SIGKILL)
                run.wait()
            time.sleep(0.001)
    assert run.returncode == -signal.SIGKILL
    assert not output.exists()
    assert fiqa(*command, str(output), "--resume").returncode == 0
    assert_whole(output, expected)
