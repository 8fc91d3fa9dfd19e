"""`fiqa score --engine ray` on a cluster of several machines, and what it survives."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from PIL import Image

from cli.command import FIQA, fiqa
from cli.interruption import assert_same_rows, here
from pipeline.ray_cluster import Machines, below, kill, machines, working

pytest.importorskip("ray", reason="Ray is not installed: pip install 'fiqa[ray]'")

SCORE = ("score", "--aligned", "-m", "sharpness", "--batch-size", "1", "--workers", "1", "-0")
FED = 24
"""Images that are known to a run before their rows."""
SECONDS = 100


@pytest.fixture(scope="module")
def cluster() -> Iterator[Machines]:
    with machines() as started:
        yield started


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Images that take a while to read, and one that cannot be read."""
    folder = os.fsencode(tmp_path_factory.mktemp("photos"))
    paths = [os.path.join(folder, b"%02d\xe9.jpg" % number) for number in range(8)]
    for number, path in enumerate(paths):
        noise = np.random.default_rng(number).integers(0, 256, (1800, 1800, 3), np.uint8)
        Image.fromarray(noise).save(os.fsdecode(path), quality=95)
    Path(os.fsdecode(paths[5])).write_bytes(b"no image")
    return paths


def test_a_worker_is_killed(cluster: Machines, photos: list[bytes], tmp_path: Path) -> None:
    first, second = cluster.add_worker(), cluster.add_worker()
    output = tmp_path / "ray.jsonl"
    with started(cluster, output) as (run, stdin):
        fed = feed(run, stdin, photos, output, lambda: working(first) and working(second))
        for process in below(first):
            kill(process)
        assert run.poll() is None
        out, error = run.communicate(b"\0".join(photos), timeout=SECONDS)
    assert run.returncode == 1, error
    assert out == b""
    assert b"a worker was lost" in error
    assert_as_local(output, [*fed, *photos], tmp_path)


def test_the_command_itself_is_killed(
    cluster: Machines, photos: list[bytes], tmp_path: Path
) -> None:
    worker = cluster.add_worker()
    output = tmp_path / "ray.parquet"
    with started(cluster, output) as (run, stdin):
        journal = tmp_path / ".ray.parquet.rows"
        fed = feed(run, stdin, photos, journal, lambda: working(worker))
        run.send_signal(signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
    assert 0 < rows(journal) < len(fed)
    with started(cluster, output, "--resume") as (run, _):
        out, error = run.communicate(b"\0".join(fed), timeout=SECONDS)
    assert run.returncode == 1, error
    assert b" of them before, in " in error
    assert out == b""
    assert_as_local(output, fed, tmp_path)


def test_what_a_worker_refuses_is_said_in_one_line(cluster: Machines) -> None:
    cluster.add_worker()
    run = fiqa(*SCORE, "--device", "cuda", "--engine", "ray", "--address", cluster.address, "x")
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].startswith(b"fiqa: there is no device 'cuda' here")
    assert run.stderr.count(b"\n") <= 2  # Ray says one line itself
    assert run.stdout == b""


def test_without_ray_a_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert here("score", tmp_path, "--engine", "ray") == 2
    assert capfd.readouterr().err == "fiqa: Ray is not installed: pip install 'fiqa[ray]'\n"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense"])
def test_a_cluster_that_is_not_there(
    address: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert here("score", tmp_path, "--engine", "ray", "--address", address) == 2
    assert capfd.readouterr().err.startswith(f"fiqa: no Ray cluster at {address}: ")


def test_options_of_ray_need_ray(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert here("score", tmp_path, "--pool", "2") == 2
    assert "are for --engine ray" in capfd.readouterr().err


@contextmanager
def started(
    cluster: Machines, output: Path, *more: str
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A run that reads paths from a pipe, and that pipe."""
    command = [FIQA, *SCORE, "-", "--engine", "ray", "--address", cluster.address, *more]
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, "-o", output], stdin=pipe, stdout=pipe, stderr=pipe) as run:
        assert run.stdin
        try:
            yield run, run.stdin
        finally:
            run.kill()


def feed(
    run: subprocess.Popen[bytes],
    stdin: IO[bytes],
    photos: list[bytes],
    output: Path,
    until: Callable[[], object],
) -> list[bytes]:
    """Name images to a run, without an end, until something is true."""
    fed: list[bytes] = []
    end = time.monotonic() + SECONDS
    names = itertools.cycle(photos)
    while not (rows(output) and until()):
        assert run.poll() is None and time.monotonic() < end, f"{rows(output)} rows"
        if len(fed) < rows(output) + FED:
            fed.append(next(names))
            stdin.write(fed[-1] + b"\0")
            stdin.flush()
        else:
            time.sleep(0.01)
    return fed


def rows(output: Path) -> int:
    return output.read_bytes().count(b"\n") if output.exists() else 0


def assert_as_local(output: Path, paths: list[bytes], folder: Path) -> None:
    expected = folder / f"local{output.suffix}"
    assert fiqa(*SCORE, "-", "-o", str(expected), stdin=b"\0".join(paths)).returncode == 1
    assert_same_rows(output, expected)
