"""`fiqa score --engine ray` on a cluster of several machines, and what it survives."""

import itertools
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from PIL import Image

from cli.command import FIQA, fiqa
from cli.interruption import assert_same_rows
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
    with started(cluster, output) as run, run.stdin as stdin:
        fed = feed(run, stdin, photos, output, lambda: working(first) and working(second))
        for process in below(first):
            kill(process)
        assert run.poll() is None
        out, error = run.communicate(b"\0".join(photos), timeout=SECONDS)
    assert run.returncode == 1, error
    assert out == b""
    assert b"a worker was lost" in error
    assert_as_local(output, [*fed, *photos], tmp_path)


def started(cluster: Machines, output: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [FIQA, *SCORE, "-", "--engine", "ray", "--address", cluster.address, *more]
    pipe = subprocess.PIPE
    return subprocess.Popen([*command, "-o", output], stdin=pipe, stdout=pipe, stderr=pipe)


def feed(
    run: subprocess.Popen[bytes], stdin: IO[bytes], photos: list[bytes], output: Path, until: Any
) -> list[bytes]:
    """Name images to a run, without an end, until something is true."""
    fed: list[bytes] = []
    end = time.monotonic() + SECONDS
    names = itertools.cycle(photos)
    while not (rows(output) and until()):
        assert run.poll() is None and time.monotonic() < end, fed
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
