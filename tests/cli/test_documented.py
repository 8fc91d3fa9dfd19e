"""Every command and every option is documented, and what is documented exists."""

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.command import FIQA, fiqa
from fiqa_cli.cli.main import app

ROOT = Path(__file__).parents[2]


def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, command
    for name, below in getattr(command, "commands", {}).items():
        yield from walk(below, (*words, name))


ALL = dict(walk(typer.main.get_command(app), ("fiqa",)))
COMMANDS = {words: each for words, each in ALL.items() if not hasattr(each, "commands")}


def examples(text: str) -> list[str]:
    """The lines below `Example:` or `Examples:` in the help of a command."""
    _, found, below = re.sub(r"\\\n", " ", text).partition("Example")
    return [line.strip() for line in below.splitlines()[1:] if line.strip()] if found else []


def calls(line: str) -> list[list[str]]:
    """The arguments of each call of fiqa in a pipeline, and in what it substitutes."""
    substituted = re.compile(r'"\$\((.*?)\)"')
    found = []
    for part in (*substituted.findall(line), substituted.sub("0.5", line)):
        lexer = shlex.shlex(part, posix=True, punctuation_chars="|")
        lexer.whitespace_split = True
        words = list(lexer)
        starts = [place + 1 for place, word in enumerate(words) if word == "fiqa"]
        found += [list(takewhile(lambda word: word != "|", words[start:])) for start in starts]
    return found


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_option_and_argument_has_help(words: tuple[str, ...]) -> None:
    command = ALL[words]
    assert command.help
    undocumented = [each.name for each in command.params if not getattr(each, "help", None)]
    assert not undocumented


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_examples_of_itself_that_can_be_parsed(words: tuple[str, ...]) -> None:
    lines = examples(COMMANDS[words].help)
    found = [call for line in lines for call in calls(line)]
    assert any(call[: len(words) - 1] == list(words[1:]) for call in found)
    for call in found:
        command: Any = ALL[("fiqa",)]
        path = ["fiqa"]
        while hasattr(command, "commands"):
            path.append(call.pop(0))
            command = ALL[tuple(path)]
        command.make_context(" ".join(path), call)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_readme_shows_every_command(words: tuple[str, ...]) -> None:
    assert " ".join(words) in (ROOT / "README.md").read_text(encoding="utf-8")


def errors() -> Iterator[tuple[str, str]]:
    """Where `FiqaError` is raised with a text, and the text; its values are shown as {}."""
    for path in sorted((ROOT / "fiqa_cli").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "FiqaError":
                continue
            for text in node.args[:1]:
                if isinstance(text, ast.Constant):
                    yield f"{path.name}:{node.lineno}", str(text.value)
                elif isinstance(text, ast.JoinedStr):
                    parts = (getattr(part, "value", None) for part in text.values)
                    told = "".join(part if isinstance(part, str) else "{}" for part in parts)
                    yield f"{path.name}:{node.lineno}", told


def test_errors_are_written_in_one_style() -> None:
    found = list(errors())
    assert len(found) > 100
    # One line without a full stop that goes on after "fiqa: "; names keep their capitals.
    begun = re.compile(r"[a-z0-9{'\"@/.-]|[A-Z]{2,}|(Ray|Parquet)\b")
    wrong = [
        (place, text)
        for place, text in found
        if not begun.match(text) or text.rstrip().endswith((".", "!")) or "\n" in text
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("fiqa sc", ["score"]),
        ("fiqa score --model ediffiqa-", [f"ediffiqa-{size}" for size in "nmlst"]),
        ("fiqa score --detector scr", ["scrfd-n"]),
        ("fiqa embed --recogniser fr", ["fr-n"]),
        ("fiqa models show unet", []),
        ("fiqa models pull buffalo_", ["buffalo_l", "buffalo_s"]),
        ("fiqa train detector --teacher ant", ["antelopev2"]),
        ("fiqa score --faces lar", ["largest"]),
    ],
)
def test_bash_completes(typed: str, offered: list[str]) -> None:
    words = shlex.split(typed)
    line = (
        'eval "$(_FIQA_COMPLETE=source_bash fiqa)"; '
        f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; "
        '_fiqa_completion fiqa; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", f'PATH="{Path(FIQA).parent}:$PATH"; {line}'],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert set(done.stdout.split()) >= set(offered)
    assert bool(done.stdout.split()) == bool(offered)


def test_help_says_how_to_complete() -> None:
    assert b"--install-completion" in fiqa("--help").stdout
