"""The command as a whole: help, settings, start-up."""

from pathlib import Path

import pytest

from cli.command import fiqa
from fiqa_cli import __version__
from fiqa_cli.cli.settings import read_settings
from fiqa_cli.errors import FiqaError

HEAVY = (
    "torch",
    "numpy",
    "insightface",
    "onnxruntime",
    "cv2",
    "pyarrow",
    "PIL",
    "requests",
    "matplotlib",
    "plotext",
    "jinja2",
)


def test_version() -> None:
    assert fiqa("--version").stdout.decode() == f"fiqa {__version__}\n"


COMMANDS = (
    "score",
    "embed",
    "filter",
    "undo",
    "threshold",
    "best",
    "report",
    "evaluate",
    "train",
    "models",
    "samples",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_in_the_help_and_in_the_readme(command: str) -> None:
    assert command in fiqa("--help").stdout.decode()
    assert fiqa(command, "--help").returncode == 0
    assert f"fiqa {command}" in (Path(__file__).parents[2] / "README.md").read_text()


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["filter", "--help"], ["report", "--help"], ["models", "list"]],
)
def test_nothing_heavy_is_imported_where_it_is_not_used(arguments: list[str]) -> None:
    done = fiqa(*arguments, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    imported = {line.rsplit(b"|", 1)[-1].strip().decode() for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert imported.isdisjoint(HEAVY)


def test_settings_are_defaults(tmp_path: Path) -> None:
    (tmp_path / "fiqa.toml").write_text('[score]\nmodel = "no-such-model"\n')
    assert b"no-such-model" in fiqa("score", "x.jpg", cwd=tmp_path).stderr
    assert b"other-model" in fiqa("score", "x.jpg", "-m", "other-model", cwd=tmp_path).stderr
    done = fiqa("score", "x.jpg", cwd=tmp_path, FIQA_MODEL="third-model")
    assert b"third-model" in done.stderr


def test_settings_may_stand_in_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.fiqa.score]\nmin-face = 20\n")
    assert read_settings(tmp_path, {"score": ["min_face"]}) == {"score": {"min_face": 20}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[score]\nmodle = 'x'\n", "modle"),
        ("[scores]\nmodel = 'x'\n", "scores"),
        ("model = 'x'\n", "table of a command"),
        ("[score\n", "cannot be read"),
    ],
)
def test_mistakes_in_settings_are_told(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "fiqa.toml").write_text(text)
    with pytest.raises(FiqaError, match=message):
        read_settings(tmp_path, {"score": ["model"], "filter": ["min"]})
