"""What `fiqa score --resume` refuses to go on with."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.interruption import cut_off, here, score, size_of

Spoil = Callable[[Path], object]


def no_manifest(output: Path) -> None:
    output.with_name(f"{output.name}.manifest.json").unlink()


def other_weights(output: Path) -> None:
    path = output.with_name(f"{output.name}.manifest.json")
    manifest = json.loads(path.read_bytes())
    manifest["detector"]["sha256"] = "0" * 64
    path.write_text(json.dumps(manifest))


def other_content(output: Path) -> None:
    output.write_text("id,name\n1,x\n")


def blank_line(output: Path) -> None:
    output.write_bytes(output.read_bytes().replace(b"\n", b"\n\n", 2))


def nothing(output: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("spoil", "more", "told"),
    [
        (no_manifest, (), "has no a.csv.manifest.json"),
        (other_weights, (), "was begun with detector sha256 000"),
        (other_content, (), "it has other columns"),
        (blank_line, (), "goes on after row 0"),
        (nothing, ("-m", "ediffiqa-n"), "was begun with model sharpness, not ediffiqa-n"),
        (nothing, ("--det-size", "320"), "was begun with det_size 640, not 320"),
        (nothing, ("--faces", "best"), "was begun with faces all, not best"),
        (nothing, ("--details",), "was begun with details False, not True"),
        (nothing, ("--jitter", "3"), "was begun with jitter 0, not 3"),
        (nothing, ("--jitter", "1"), "give --jitter 2 or more"),
        (nothing, ("--unordered",), "not --unordered"),
        (nothing, ("-f", "jsonl"), "not write"),
        (nothing, ("-f", "json"), "write .jsonl"),
    ],
)
def test_a_file_of_another_run_is_refused_and_left_alone(
    photos: Path,
    whole: Path,
    tmp_path: Path,
    spoil: Spoil,
    more: tuple[str, ...],
    told: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    output = cut_off(whole, tmp_path, "csv", 1000)
    spoil(output)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert score(photos, output, "--resume", *more) == 2
    error = capfd.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_parquet_that_is_not_ours_is_refused(
    photos: Path, whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = Path(shutil.copy(whole / "a.parquet", tmp_path))
    assert score(photos, output, "--resume") == 2
    assert "has no a.parquet.manifest.json" in capfd.readouterr().err
    assert output.read_bytes() == (whole / "a.parquet").read_bytes()


def test_another_list_of_images_is_refused(
    photos: Path, whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = cut_off(whole, tmp_path, "csv", size_of(whole, "csv") - 10)
    before = output.read_bytes()
    for images in (photos / "01.png", tmp_path / "nowhere"):
        assert score(images, output, "--resume") == 2
        error = capfd.readouterr().err
        assert f"has '{photos}/00.png' where the list of images has '{images}'" in error
        assert error.count("\n") == 1
    assert output.read_bytes() == before


def test_resume_needs_a_file(photos: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert here("score", photos, "--resume") == 2
    assert "name it with -o" in capfd.readouterr().err
