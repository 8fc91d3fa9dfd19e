"""Whatever is in a file, each reader gives what is in it or one line for people, and soon."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostile.mutations import broken
from hostile.readers import FileReader, readers, survive

FEW = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

SOON = 20
"""Seconds of processor time."""


@pytest.fixture(params=readers())
def reader(request: pytest.FixtureRequest) -> FileReader:
    return readers()[request.param]


def soon(reader: FileReader, path: Path, content: bytes) -> bool:
    begun = time.process_time()
    could = survive(reader, path, content)
    assert time.process_time() - begun < SOON
    return could


def test_whole_files_are_read(reader: FileReader, tmp_path: Path) -> None:
    for content in reader.files:
        assert survive(reader, tmp_path / f"a{reader.suffix}", content)


@FEW
@given(which=st.integers(0, 100), part=st.floats(0, 1))
def test_cut_off_anywhere(reader: FileReader, tmp_path: Path, which: int, part: float) -> None:
    content = reader.files[which % len(reader.files)]
    soon(reader, tmp_path / f"a{reader.suffix}", content[: int(len(content) * part)])


@FEW
@given(which=st.integers(0, 100), seed=st.integers(0, 2**32))
def test_broken_anywhere(reader: FileReader, tmp_path: Path, which: int, seed: int) -> None:
    content = reader.files[which % len(reader.files)]
    soon(reader, tmp_path / f"a{reader.suffix}", broken(content, random.Random(seed)))


@FEW
@given(junk=st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode)))
def test_junk(reader: FileReader, tmp_path: Path, junk: bytes) -> None:
    soon(reader, tmp_path / f"a{reader.suffix}", junk)


def test_what_fuzzing_found(tmp_path: Path) -> None:
    """Each of these once ended in something other than one line for people."""
    report = readers()["report"]
    parquet = report.files[3]
    assert not survive(report, tmp_path / "a", parquet.replace(b"a.jpg", b"a\xffjpg"))
    weights = readers()["weights"]
    saved = weights.files[0]
    assert not survive(
        weights, tmp_path / "b", saved.replace(b"archive/data.pkl", b"archive/\xffata.pkl")
    )
    assert not survive(readers()["pairs.txt"], tmp_path / "c", b"\n \n")
    moves = readers()["moves"]
    assert survive(moves, tmp_path / "d", b'{"act": "move"}\n{"run": 1}\n{"done": "x"}\n[]\n')
