"""Runs of `fiqa score` that are killed, and go on with `--resume`."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from cli.command import FIQA, fiqa
from cli.interruption import FORMATS, assert_same_rows, cut_off, here, noise, score, size_of

KILLS = int(os.environ.get("FIQA_TEST_KILLS", "6"))
"""Random instants at which runs are killed, over all formats."""

DEAD = 77
"""Exit code."""


def dies(at: int, run: Callable[[], int | None]) -> bool:
    """Whether `run`, in a process of its own, comes to its step `at`, before which it dies."""
    child = os.fork()
    if not child:
        code: int | None = None
        try:
            torch.set_num_threads(1)  # those of the parent do not exist here
            steps = iter(range(1, at))
            for name in ("truncate", "fsync", "replace", "unlink"):
                setattr(os, name, step(getattr(os, name), steps))
            code = run()
        finally:  # the rest of the tests is the parent's
            os._exit(1 if code is None else code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == DEAD


def step(call: Callable[..., Any], steps: Iterator[int]) -> Callable[..., Any]:
    def watched(*arguments: Any) -> Any:
        if next(steps, None) is None:
            os._exit(DEAD)
        return call(*arguments)

    return watched


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("format", FORMATS)
def test_death_between_any_two_steps(
    photos: Path, whole: Path, tmp_path: Path, format: str, begun: bool
) -> None:
    for at in range(1, 20):
        folder = tmp_path / str(at)
        folder.mkdir()
        output = folder / f"a.{format}"
        if begun:
            cut_off(whole, folder, format, size_of(whole, format) // 2)
        dead = dies(at, lambda output=output: score(photos, output, "--resume"))  # type: ignore[misc]
        assert score(photos, output, "--resume") == 1
        assert_same_rows(output, whole / output.name)
        assert len(list(folder.iterdir())) == 2
        if not dead:
            break
    assert not dead
    assert at > 4


@pytest.mark.parametrize("format", FORMATS)
def test_death_of_a_run_that_replaces_another(
    photos: Path, whole: Path, tmp_path: Path, format: str
) -> None:
    """Rows of the earlier run never get among those of the later one."""
    for at in range(1, 20):
        folder = tmp_path / str(at)
        folder.mkdir()
        output = folder / f"a.{format}"
        assert score(photos, output, "--faces", "best") == 1
        before = output.read_bytes()
        dead = dies(at, lambda output=output: score(photos, output))  # type: ignore[misc]
        code = score(photos, output, "--resume")
        if code == 2:  # the later run has not begun
            assert output.read_bytes() == before
        else:
            assert_same_rows(output, whole / output.name)
            assert len(list(folder.iterdir())) == 2
        if not dead:
            break
    assert not dead
    assert at > 4


@pytest.mark.parametrize("format", FORMATS)
def test_killed_again_and_again(tmp_path: Path, format: str) -> None:
    """SIGKILL at random instants; each run goes on from what the one before it left."""
    crops = tmp_path / "crops"
    crops.mkdir()
    for number in range(400):
        noise(str(crops / f"{number:03}.png"), number)
    output, expected = (tmp_path / name / f"a.{format}" for name in ("killed", "whole"))
    for path in (output, expected):
        path.parent.mkdir()
    command = ("score", str(crops), "--aligned", "-m", "sharpness", "--batch-size", "8", "-q")
    assert here(*command, "-o", expected) == 0
    journal = output.with_name(f".{output.name}.rows") if format == "parquet" else output
    chance = random.Random()
    # The first comes early enough to find the run alive on any machine.
    instants = [chance.randrange(300)]
    instants += (chance.randrange(400) for _ in range(1, -(-KILLS // len(FORMATS))))
    killed = 0
    for count in sorted(instants):
        with subprocess.Popen([FIQA, *command, "-o", str(output), "--resume"]) as run:
            while run.poll() is None:
                if journal.exists() and journal.read_bytes().count(b"\n") >= count:
                    time.sleep(chance.uniform(0, 0.02))
                    run.send_signal(signal.SIGKILL)
                    run.wait()
                time.sleep(0.001)
            killed += run.returncode == -signal.SIGKILL
    assert killed >= len(instants) / 2
    assert fiqa(*command, "-o", str(output), "--resume").returncode == 0
    assert_same_rows(output, expected)
    manifest = json.loads(output.with_name(f"{output.name}.manifest.json").read_bytes())
    assert manifest["counts"] == {"ok": 400}
    assert len(list(output.parent.iterdir())) == 2
