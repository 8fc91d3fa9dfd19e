"""`fiqa score --resume`: an interrupted run goes on to the file of an uninterrupted one."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cli.command import fiqa
from cli.interruption import (
    FORMATS,
    PlainDecoder,
    assert_same_rows,
    assert_whole,
    cut_off,
    here,
    kept_as,
    noise,
    score,
    size_of,
)


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=40, deadline=None)
@given(part=st.floats(0, 1), ended=st.booleans())
def test_a_file_cut_off_at_any_byte_becomes_whole(
    photos: Path, whole: Path, format: str, part: float, ended: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        size = round(part * size_of(whole, format))
        output = cut_off(whole, Path(folder), format, size, ended)
        if ended and format == "parquet":  # no run ends without the file
            shutil.copy(whole / output.name, output)
        assert score(photos, output, "--resume") == 1
        if size:  # else it is another run, begun now
            assert_whole(output, whole)
        else:
            assert_same_rows(output, whole / output.name)


def test_details_and_jitter_are_resumed_too(photos: Path, tmp_path: Path) -> None:
    more = ("--details", "--jitter", "2")
    assert score(photos, tmp_path / "a.csv", *more) == 1
    folder = tmp_path / "again"
    folder.mkdir()
    for part in (0.2, 0.5, 0.9):
        output = cut_off(tmp_path, folder, "csv", round(part * size_of(tmp_path, "csv")))
        assert score(photos, output, "--resume", *more) == 1
        assert_whole(output, tmp_path)


@pytest.mark.parametrize("format", FORMATS)
def test_an_image_that_lacks_faces_gets_them(
    photos: Path, whole: Path, tmp_path: Path, format: str
) -> None:
    rows = [json.loads(line) for line in (whole / "a.jsonl").read_text().splitlines()]
    place = next(n for n, row in enumerate(rows) if row["face"] == 3)
    lines = (whole / f"a.{kept_as(format)}").read_bytes().splitlines(keepends=True)
    # No name with a line feed comes before the first image of five faces.
    done = lines[: place + (format == "csv")]
    output = cut_off(whole, tmp_path, format, sum(map(len, done)))
    assert score(photos, output, "--resume") == 1
    assert_whole(output, whole)


@pytest.mark.parametrize("format", FORMATS)
def test_images_that_are_done_are_not_opened(
    photos: Path, whole: Path, tmp_path: Path, format: str, decoded: list[str]
) -> None:
    output = cut_off(whole, tmp_path, format, size_of(whole, format) - 10)
    assert score(photos, output, "--resume") == 1
    assert_whole(output, whole)
    images = [row["path"] for row in map(json.loads, (whole / "a.jsonl").open())]
    assert 1 <= len(decoded) <= 6
    assert decoded == list(dict.fromkeys(images))[-len(decoded) :]


@pytest.mark.parametrize("format", FORMATS)
def test_a_complete_file_is_left_alone(
    photos: Path,
    whole: Path,
    tmp_path: Path,
    format: str,
    decoded: list[str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    output = Path(shutil.copytree(whole, tmp_path / "copy")) / f"a.{format}"
    before = output.stat().st_mtime_ns
    names = set(output.parent.iterdir())
    assert score(photos, output, "--resume") == 1  # an image is unreadable, as before
    assert decoded == []
    assert output.stat().st_mtime_ns == before
    assert set(output.parent.iterdir()) == names
    assert "a." + format + " is complete: nothing to do" in capfd.readouterr().err


@pytest.mark.parametrize("format", FORMATS)
def test_images_that_come_after_the_end_are_added(
    photos: Path, tmp_path: Path, format: str
) -> None:
    grown = Path(shutil.copytree(photos, tmp_path / "photos"))
    output, expected = tmp_path / f"a.{format}", tmp_path / f"b.{format}"
    assert score(grown, output) == 1
    noise(str(grown / "zzz.png"), 99, faces=2, size=(120, 130))
    assert score(grown, expected) == 1
    assert score(grown, output, "--resume") == 1
    assert_same_rows(output, expected)
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize("format", FORMATS)
def test_rows_of_images_that_have_gone_stay(photos: Path, tmp_path: Path, format: str) -> None:
    """And those of images that have changed; nothing else could keep the file what it was."""
    copy = Path(shutil.copytree(photos, tmp_path / "photos"))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    for kind in {format, kept_as(format)}:
        assert score(copy, whole / f"a.{kind}") == 1
    (copy / "02.png").unlink()
    (copy / "10.png").unlink()
    noise(str(copy / "03.png"), 98, faces=4, size=(120, 130))
    output = cut_off(whole, cut, format, size_of(whole, format) - 10)
    assert score(copy, output, "--resume") == 1
    assert_whole(output, whole)


@pytest.mark.parametrize("format", FORMATS)
def test_without_a_file_the_run_just_starts(
    photos: Path, whole: Path, tmp_path: Path, format: str
) -> None:
    output = tmp_path / f"a.{format}"
    assert score(photos, output, "--resume") == 1
    assert_same_rows(output, whole / output.name)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_journal_that_was_left_behind_is_no_obstacle(
    photos: Path, whole: Path, tmp_path: Path
) -> None:
    output = cut_off(whole, tmp_path, "parquet", 1000)
    (tmp_path / "a.parquet.manifest.json").unlink()
    assert score(photos, output, "--resume") == 1
    assert_same_rows(output, whole / output.name)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_run_that_starts_anew_forgets_the_one_before(photos: Path, tmp_path: Path) -> None:
    """No rows of the earlier run may pass for those of the later one."""
    output = tmp_path / "a.csv"
    assert score(photos, output) == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fiqa_cli.records.manifest.write_manifest", interrupt)
        assert score(photos, output, "--faces", "best") == 130
    assert output.read_bytes() == b""


def interrupt(*arguments: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("format", FORMATS)
def test_ctrl_c_keeps_what_was_scored_and_can_be_resumed(
    photos: Path,
    whole: Path,
    tmp_path: Path,
    format: str,
    decoded: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = tmp_path / f"a.{format}"
    decode = PlainDecoder.decode_reduced

    def interrupted(decoder: PlainDecoder, path: str, at_least: int | None) -> Any:
        return interrupt() if path.endswith("08.png") else decode(decoder, path, at_least)

    monkeypatch.setattr(PlainDecoder, "decode_reduced", interrupted)
    assert score(photos, output) == 130
    if format == "parquet":
        count = pq.read_table(output).num_rows
        assert pq.read_table(output).equals(pq.read_table(whole / output.name)[:count])
        assert count >= 8
    else:
        assert (whole / output.name).read_bytes().startswith(output.read_bytes())
        assert output.stat().st_size
    monkeypatch.setattr(PlainDecoder, "decode_reduced", decode)
    assert score(photos, output, "--resume") == 1
    assert_same_rows(output, whole / output.name)
    assert len(list(tmp_path.iterdir())) == 2


def test_the_summary_tells_what_was_done_before(
    photos: Path, whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = cut_off(whole, tmp_path, "csv", size_of(whole, "csv") - 10)
    here("score", photos, "-m", "sharpness", "--batch-size", "4", "-o", output, "--resume")
    counts = json.loads((whole / "a.csv.manifest.json").read_bytes())["counts"]
    error = capfd.readouterr().err
    assert "19 images, 1" in error
    assert " of them before, in " in error
    assert f"{counts['ok']} ok" in error


def test_the_last_digit_of_a_network_too(planted: None, tmp_path: Path) -> None:
    """Its outputs depend on the batch: the resumed run makes the batches of the whole one."""
    crops = tmp_path / "crops"
    crops.mkdir()
    for number in range(22):
        small = np.random.default_rng(number).integers(0, 256, (14, 14, 3), dtype=np.uint8)
        Image.fromarray(small.repeat(8, 0).repeat(8, 1)).save(crops / f"{number:02}.png")
    output = tmp_path / "a.csv"
    command = ("score", crops, "--aligned", "--batch-size", "4", "-q", "-o", output)
    assert here(*command) == 0
    expected = output.read_bytes()
    lines = expected.splitlines(keepends=True)
    for count in range(2, len(lines), 3):
        output.write_bytes(b"".join(lines[:count]) + lines[count][:9])
        assert here(*command, "--resume") == 0
        assert output.read_bytes() == expected, count


def test_paths_on_standard_input(photos: Path, tmp_path: Path) -> None:
    names = sorted(os.fsencode(photos / f"{n:02}.png") for n in range(14) if n != 5)
    listed = tmp_path / "list"
    listed.write_bytes(b"\0".join(names))
    output = tmp_path / "a.jsonl"
    command = ("score", "--aligned", "-m", "sharpness", "-0", "-q", "-o", str(output))
    assert here(*command, f"@{listed}") == 1
    expected = output.read_bytes()
    output.write_bytes(expected[: len(expected) // 2])
    assert fiqa(*command, "-", "--resume", stdin=listed.read_bytes()).returncode == 1
    assert output.read_bytes() == expected
