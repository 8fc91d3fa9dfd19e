import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image, ImageFilter
from typer.testing import CliRunner

import fiqa_cli.cli.samples
from fiqa_cli import samples
from fiqa_cli.errors import FiqaError


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples") / "new" / "folder"
    yielded = list(samples.write_samples(folder))
    assert sorted(yielded) == sorted(folder.iterdir())
    return folder


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float64)


def test_originals_and_a_series_of_each_kind(written: Path) -> None:
    names = {path.name for path in written.iterdir()}
    series = {
        f"{photo}-{kind}-{grade}.jpg"
        for photo in ("group", "astronaut")
        for kind in ("blurred", "small", "noisy", "dark")
        for grade in (1, 2, 3, 4)
    }
    assert names == series | {"group.jpg", "astronaut.jpg", "cat.jpg"}
    assert sum(path.stat().st_size for path in written.iterdir()) < 8_000_000


@pytest.mark.parametrize("kind", ["blurred", "small", "noisy", "dark"])
@pytest.mark.parametrize("photo", ["group", "astronaut"])
def test_each_grade_keeps_less_of_the_detail(written: Path, photo: str, kind: str) -> None:
    series = [f"{photo}.jpg", *(f"{photo}-{kind}-{grade}.jpg" for grade in (1, 2, 3, 4))]
    edges = [np.diff(pixels(written / name), axis=1).ravel() for name in series]
    kept = [float(np.corrcoef(edges[0], copy)[0, 1]) for copy in edges]
    assert all(later < sooner - 0.03 for sooner, later in pairwise(kept)), kept


def detail(image: np.ndarray) -> float:
    """Spread of what a slight blur takes away."""
    grey = Image.fromarray(image.astype(np.uint8)).convert("L")
    blurred = grey.filter(ImageFilter.GaussianBlur(1))
    return float(np.std(np.asarray(grey, np.float64) - np.asarray(blurred, np.float64)))


def test_kinds_do_what_they_are_called(written: Path) -> None:
    clean = pixels(written / "astronaut.jpg")
    worst = {kind: pixels(written / f"astronaut-{kind}-4.jpg") for kind in samples.GRADES}
    assert detail(worst["blurred"]) < detail(clean) / 4
    assert detail(worst["small"]) < detail(clean) / 3
    assert detail(worst["noisy"]) > detail(clean) * 2
    assert worst["dark"].mean() < clean.mean() / 8
    assert all(copy.shape == clean.shape for copy in worst.values())


def test_again_gives_the_same_bytes_and_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "mine.jpg").write_bytes(b"mine")
    (tmp_path / "astronaut-noisy-4.jpg").write_bytes(b"half written")
    first = {path: path.read_bytes() for path in samples.write_samples(tmp_path)}
    assert first == {path: path.read_bytes() for path in samples.write_samples(tmp_path)}
    assert len(first) == 35
    assert (tmp_path / "mine.jpg").read_bytes() == b"mine"


@pytest.mark.parametrize("place", [("skimage", "data/none.png"), ("no_such_package", "x.png")])
def test_missing_picture_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: tuple[str, str]
) -> None:
    monkeypatch.setitem(samples.PICTURES, "cat", place)
    with pytest.raises(FiqaError, match="pip install --force-reinstall"):
        list(samples.write_samples(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FiqaError, match=r"cannot write samples to .*file"):
        list(samples.write_samples(tmp_path / "file"))


def test_command_prints_paths_to_stdout_and_the_next_step_to_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = os.fsdecode(b"a \xff")
    monkeypatch.setattr(samples, "write_samples", lambda folder: iter([folder / odd]))
    app = typer.Typer()
    app.command()(fiqa_cli.cli.samples.samples)
    result = CliRunner().invoke(app, [f"{tmp_path}/with space"])
    assert result.exit_code == 0
    assert result.stdout_bytes == os.fsencode(tmp_path) + b"/with space/a \xff\n"
    assert f"fiqa score '{tmp_path}/with space'" in result.stderr


def test_finding_pictures_imports_nothing_heavy() -> None:
    code = (
        "import sys; from fiqa_cli import samples\n"
        "for name in samples.PICTURES: samples.picture_file(name)\n"
        "print(sorted({'insightface', 'skimage', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"
