"""Containers cut off at any byte, and with any bytes changed: reasons, never a crash or a hang."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fiqa_cli.sources.listing import expand
from sources.containers import (
    PHOTOS,
    why_not,
    write_bin,
    write_parquet,
    write_rec,
    write_tar,
)
from sources.videos import write_video

NAMED = {f"{number}.jpg": photo for number, photo in enumerate(PHOTOS)}
KINDS: dict[str, Callable[[Path], Path]] = {
    "a.tar": lambda path: write_tar(path, NAMED),
    "a.tar.gz": lambda path: write_tar(path, NAMED, "w:gz"),
    "a.rec": lambda path: write_rec(path, PHOTOS),
    "b.rec": lambda path: write_rec(path, PHOTOS, index=False),
    "a.idx": lambda path: write_rec(path.with_suffix(".rec"), PHOTOS).with_suffix(".idx"),
    "a.bin": lambda path: write_bin(path, PHOTOS),
    "a.parquet": lambda path: write_parquet(path, list(PHOTOS), "img2dataset", row_group_size=4),
    "b.parquet": lambda path: write_parquet(path, list(PHOTOS), "huggingface", row_group_size=4),
    "a.mp4": lambda path: write_video(path, frames=40, movflags="faststart"),
    "a.mkv": lambda path: write_video(path, frames=40, codec="mpeg4"),
    "a.ts": lambda path: write_video(path, frames=40, codec="mpeg2video"),
}
FEW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module", params=KINDS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return KINDS[request.param](tmp_path_factory.mktemp("whole") / request.param)


def assert_survived(whole: Path, content: bytes) -> None:
    """Every row is named after the container, and what is not readable says so in one line."""
    path = whole.with_name(f"broken-{time.monotonic_ns()}{''.join(whole.suffixes)}")
    path.write_bytes(content)
    container = path
    if path.suffix == ".idx":
        container = path.with_suffix(".rec")
        container.write_bytes(whole.with_suffix(".rec").read_bytes())
    elif path.suffix == ".rec" and whole.with_suffix(".idx").exists():
        path.with_suffix(".idx").write_bytes(whole.with_suffix(".idx").read_bytes())
    begin = time.monotonic()
    entries = list(expand([str(container)]))
    assert len(entries) <= 100
    for entry in entries:
        assert entry.path == str(container) or entry.path.startswith(f"{container}::")
        reason = entry.reason or why_not(entry)
        assert "\n" not in reason
        assert len(reason) < 150
    assert time.monotonic() - begin < 20
    for made in path.parent.glob(f"{path.stem.partition('.')[0]}.*"):
        made.unlink()


@FEW
@given(part=st.floats(0, 1))
def test_truncated_anywhere(whole: Path, part: float) -> None:
    content = whole.read_bytes()
    assert_survived(whole, content[: int(len(content) * part)])


@FEW
@given(seed=st.integers(0, 2**32), count=st.integers(1, 12))
def test_broken_anywhere(whole: Path, seed: int, count: int) -> None:
    """Beginnings and ends, where heads and footers are, more often."""
    dice = random.Random(seed)
    broken = bytearray(whole.read_bytes())
    for _ in range(count):
        reach = dice.choice([len(broken), min(len(broken), 600)])
        place = dice.randrange(reach) * dice.choice([1, -1])
        broken[place] = dice.randrange(256)
    assert_survived(whole, bytes(broken))


@FEW
@given(junk=st.binary(max_size=2000))
def test_junk(whole: Path, junk: bytes) -> None:
    assert_survived(whole, junk)
    assert_survived(whole, whole.read_bytes()[:200] + junk)


def test_truncated_at_every_byte_of_a_small_one(tmp_path: Path) -> None:
    for path in (
        write_rec(tmp_path / "a.rec", [b"\xff\xd8\xff", b"x"], index=False),
        write_bin(tmp_path / "a.bin", [b"\xff\xd8\xff", b"x"]),
    ):
        content = path.read_bytes()
        assert len(content) < 500
        for size in range(len(content)):
            assert_survived(path, content[:size])
