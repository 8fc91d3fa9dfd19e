"""What goes wrong around a run: it keeps what was scored, says what to do, and can be resumed."""

import json
import os
import resource
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from cli.command import FIQA, fiqa, shell
from cli.interruption import (
    FORMATS,
    assert_whole,
    cut_off,
    here,
    noise,
    score,
    size_of,
)
from fiqa_cli.cli import run
from fiqa_cli.cli.signals import heed
from fiqa_cli.pipeline.tally import Tally
from fiqa_cli.records.journal import journal_of
from fiqa_cli.records.lock import locked
from fiqa_cli.records.row import Row
from hostile.jpeg import scans
from processes import children, is_alive

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def signals() -> Iterator[None]:
    """Handlers of Python's own during the test, as they were before it afterwards."""
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    # The tests may be run by nohup, or as a background job of a script: such ignore some of them.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def at_row(number: int, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Let something happen once, before a row is written."""
    count = Tally.count
    rows = iter(range(number))

    def count_or_act(tally: Tally, row: Row) -> None:
        if next(rows, None) is None:
            monkeypatch.setattr(Tally, "count", count)
            act()
        count(tally, row)

    monkeypatch.setattr(Tally, "count", count_or_act)


def go_on(said: str) -> int | None:
    """Give the command that was said to go on with."""
    (line,) = [line for line in said.splitlines() if "go on with: " in line]
    command = shlex.split(line.partition("go on with: ")[2])
    assert command[0] == "fiqa"
    assert command[-1] == "--resume"
    return here(*command[1:])


@pytest.mark.parametrize("format", FORMATS)
def test_disk_full(photos: Path, whole: Path, tmp_path: Path, format: str, capfd: Capture) -> None:
    output = tmp_path / f"a.{format}"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    least = (whole / f"a.{format}.manifest.json").stat().st_size
    assert least < size_of(whole, format)
    resource.setrlimit(resource.RLIMIT_FSIZE, (least, hard))
    try:
        assert score(photos, output) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = capfd.readouterr().err
    assert f"cannot write {output}: file too large; what was written before is kept" in said
    assert said.count("\n") == 2
    assert journal_of(output, format).stat().st_size > least / 2
    assert not output.with_name(f".{output.name}.part").exists()
    assert go_on(said) == 1
    assert_same(output, whole)


def assert_same(output: Path, whole: Path) -> None:
    """As `assert_whole`, but for the time at which the run began."""
    path = output.with_name(f"{output.name}.manifest.json")
    manifest = json.loads(path.read_bytes())
    expected = json.loads((whole / path.name).read_bytes())
    path.write_text(json.dumps(manifest | {"started": expected["started"]}))
    assert_whole(output, whole)


def test_disk_full_where_standard_output_goes(tmp_path: Path) -> None:
    noise(str(tmp_path / "a.png"), 0)
    done = shell("fiqa score a.png --aligned -m sharpness -q > /dev/full", tmp_path)
    assert done.returncode == 2
    assert b"no space left on device" in done.stderr
    assert done.stderr.count(b"\n") <= 2


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("comes_back", [True, False])
def test_output_folder_vanishes(
    photos: Path,
    whole: Path,
    tmp_path: Path,
    format: str,
    comes_back: bool,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Capture,
) -> None:
    monkeypatch.setattr(run, "BETWEEN_CHECKS", 0.0)
    folder, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    folder.mkdir()
    output = folder / f"a.{format}"

    def vanish() -> None:
        if comes_back:
            folder.rename(elsewhere)
        else:
            shutil.rmtree(folder)

    at_row(10, monkeypatch, vanish)
    assert score(photos, output) == 2
    said = capfd.readouterr().err
    assert "has gone from its place" in said
    assert "--resume" in said
    if comes_back:
        elsewhere.rename(folder)
        assert journal_of(output, format).stat().st_size
    else:
        folder.mkdir()
    assert score(photos, output, "--resume") == 1
    assert_same(output, whole)


def test_read_only_target(photos: Path, capfd: Capture) -> None:
    assert score(photos, Path("/sys/a.csv")) == 2
    said = capfd.readouterr().err
    assert said.startswith("fiqa: cannot write /sys/a.csv: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 129, "hung up"),
        (signal.SIGINT, 130, "interrupted"),
    ],
)
@pytest.mark.parametrize("format", FORMATS)
def test_signals_that_end_a_run(
    photos: Path,
    whole: Path,
    tmp_path: Path,
    format: str,
    number: signal.Signals,
    code: int,
    word: str,
    signals: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Capture,
) -> None:
    output = tmp_path / f"a.{format}"
    at_row(10, monkeypatch, lambda: os.kill(os.getpid(), number))
    assert score(photos, output) == code
    said = capfd.readouterr().err
    assert said.startswith(
        f"fiqa: {word}; what was finished is kept\nfiqa: go on with: fiqa score "
    )
    assert go_on(said) == 1
    assert_same(output, whole)


def test_a_run_that_is_terminated_leaves_nothing_running(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(scans(2_000, 2_000, 100_000))
    noise(str(tmp_path / "0.png"), 0)
    command = [FIQA, "score", ".", "--aligned", "-m", "sharpness", "-o", "a.csv"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        while not (tmp_path / "a.csv").exists() or not (tmp_path / "a.csv").stat().st_size:
            assert process.poll() is None
            time.sleep(0.02)
        decoders = children(process.pid)
        process.terminate()
        assert process.wait(timeout=30) == 143
        assert process.stderr is not None
        assert b"terminated; what was finished is kept" in process.stderr.read()
    assert decoders
    assert not any(map(is_alive, decoders))
    assert b"0.png,,ok" in (tmp_path / "a.csv").read_bytes()


def test_signals_that_are_ignored_stay_so(signals: None) -> None:
    """As `nohup` wants it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    heed()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert callable(signal.getsignal(signal.SIGTERM))


@pytest.mark.parametrize("format", FORMATS)
def test_two_runs_on_one_output(
    photos: Path, whole: Path, tmp_path: Path, format: str, capfd: Capture
) -> None:
    output = cut_off(whole, tmp_path, format, size_of(whole, format) // 2)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with locked(output):
        for more in ((), ("--resume",)):
            assert score(photos, output, *more) == 2
            said = capfd.readouterr().err
            assert f"another run is writing {output}: wait for its end" in said
            assert said.count("\n") == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    # What a run that was killed leaves is no lock.
    output.with_name(f".{output.name}.lock").write_bytes(b"")
    assert score(photos, output, "--resume") == 1
    assert_whole(output, whole)


@pytest.mark.parametrize("format", FORMATS)
def test_power_cut_that_leaves_zeros(
    photos: Path, whole: Path, tmp_path: Path, format: str
) -> None:
    """As file systems do that have noted the size of a file before its content."""
    output = cut_off(whole, tmp_path, format, size_of(whole, format) // 2)
    with journal_of(output, format).open("ab") as journal:
        journal.write(bytes(4096))
    assert score(photos, output, "--resume") == 1
    assert_whole(output, whole)


def test_an_image_that_hangs_costs_one_row(tmp_path: Path) -> None:
    for number in range(3):
        noise(str(tmp_path / f"{number}.png"), number)
    (tmp_path / "1.jpg").write_bytes(scans(2_000, 2_000, 100_000))
    command = ("score", ".", "--aligned", "-m", "sharpness", "--decode-timeout", "0.5", "-q")
    done = fiqa(*command, "-f", "jsonl", cwd=tmp_path)
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["status"] for row in rows] == ["ok", "unreadable", "ok", "ok"]
    assert rows[1]["error"] == "took longer than 0.5 s to decode"
    assert np.isfinite(rows[3]["quality"])
