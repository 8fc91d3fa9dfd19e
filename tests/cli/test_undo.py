"""`fiqa undo` on the command line."""

from pathlib import Path

import pytest

from cli.interruption import here
from fiqa_cli.records.row import Row
from fiqa_cli.records.writers import open_writer


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    names = ["in/a/1.jpg", "in/b/1.jpg"]
    for name in names:
        Path(name).parent.mkdir(parents=True)
        Path(name).write_text(name)
    with open_writer(Path("r.csv"), "csv") as writer:
        writer.write([Row(name, 0, quality=0.5) for name in names])
    return tmp_path


def test_moved_and_taken_back(photos: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert here("filter", "r.csv", "-o", "kept.csv", "--move-to", "out") == 0
    assert not Path("in/a/1.jpg").exists()
    capfd.readouterr()
    assert here("undo", "out", "--dry-run") == 0
    said = capfd.readouterr().err
    assert f"would move {photos}/out/a/1.jpg back to {photos}/in/a/1.jpg" in said
    assert "undo: 2 images (dry run)" in said
    assert here("undo", "out") == 0
    assert Path("in/a/1.jpg").read_text() == "in/a/1.jpg"
    assert Path("in/b/1.jpg").read_text() == "in/b/1.jpg"
    assert capfd.readouterr().err == "undo: 2 images\n"


def test_what_cannot_be_taken_back_is_said(photos: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert here("filter", "r.csv", "-o", "kept.csv", "--copy-to", "out") == 0
    Path("out/a/1.jpg").write_text("edited")
    capfd.readouterr()
    assert here("undo", "out") == 1
    said = capfd.readouterr().err
    assert f"cannot take back {photos}/out/a/1.jpg: it was changed since" in said
    assert Path("out/a/1.jpg").read_text() == "edited"


def test_nothing_to_undo(photos: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert here("undo", "in") == 2
    said = capfd.readouterr().err
    assert "has no journal" in said
    assert said.count("\n") == 1
