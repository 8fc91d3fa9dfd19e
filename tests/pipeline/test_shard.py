"""Shards of a list of images, and the whole list again."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.pipeline.shard import Shard
from fiqa_cli.records.merge import interleave
from fiqa_cli.records.row import Row
from fiqa_cli.sources.container import SEPARATOR
from fiqa_cli.sources.entry import Entry

PLAIN = st.sampled_from(["a.jpg", "b/c.png", "a::b/d.jpg", "::", "x.tar"])
MEMBERS = st.tuples(
    st.sampled_from(["a.tar", "b.tar", "s3://x/c.TAR", "t.rec", "c.bin"]), st.integers(1, 4)
).map(lambda found: [f"{found[0]}{SEPARATOR}{number}.jpg" for number in range(found[1])])
LISTS = st.lists(PLAIN.map(lambda path: [path]) | MEMBERS, max_size=12).map(
    lambda parts: [path for part in parts for path in part]
)


def shards(paths: list[str], count: int) -> list[list[str]]:
    entries = [Entry(path) for path in paths]
    return [
        [entry.path for entry in Shard(number, count).of(entries)] for number in range(1, count + 1)
    ]


def rows_of(paths: list[str]) -> list[Row]:
    """One row, or as many as there are faces, for each image."""
    rows = []
    for path in paths:
        faces = len(path) % 3
        rows += [Row(path, face) for face in range(faces)] or [Row(path, status="no-face")]
    return rows


@given(paths=LISTS, count=st.integers(1, 6))
def test_all_shards_together_are_the_whole_list_again(paths: list[str], count: int) -> None:
    parts = shards(paths, count)
    assert sorted(path for part in parts for path in part) == sorted(paths)
    merged = interleave(
        [rows_of(part) for part in parts], lambda row: row.path, lambda row: not row.face
    )
    assert list(merged) == rows_of(paths)


@given(paths=LISTS, more=LISTS, count=st.integers(1, 6))
def test_images_that_come_after_the_end_change_no_shard(
    paths: list[str], more: list[str], count: int
) -> None:
    for before, after in zip(shards(paths, count), shards(paths + more, count), strict=True):
        assert after[: len(before)] == before


def test_every_nth_image() -> None:
    paths = [f"{number}.jpg" for number in range(8)]
    assert shards(paths, 3) == [paths[0::3], paths[1::3], paths[2::3]]
    assert shards(paths[:1], 3) == [paths[:1], [], []]


def test_the_images_of_an_archive_stay_together() -> None:
    one, other = ([f"{name}.tar::{n}.jpg" for n in range(3)] for name in "ab")
    assert shards([*one, "x.jpg", *other], 2) == [one + other, ["x.jpg"]]
    # One that breaks off, and one that is named twice.
    assert shards([*one, "a.tar", *other], 2) == [[*one, "a.tar"], other]
    assert shards([*one, *one], 2) == [one, one]


def test_those_of_a_record_file_do_not() -> None:
    paths = [f"train.rec::{number}" for number in range(5)]
    assert shards(paths, 2) == [paths[0::2], paths[1::2]]


def test_what_is_lost_is_missed() -> None:
    """Not whatever ends a shard early: an image of the last round is the least."""
    parts = shards([f"{number}.jpg" for number in range(8)], 3)
    parts[0].pop()
    with pytest.raises(FiqaError, match="shard 1 lacks images"):
        list(interleave(parts, lambda path: path, lambda path: True))


def test_names_sort_as_shards_do() -> None:
    names = [Shard(number, 120).name(Path("d/{shard}/s-{shard}.csv")) for number in (2, 10, 120)]
    assert names == [Path(f"d/{{shard}}/s-{n}-of-120.csv") for n in ("002", "010", "120")]
    assert Shard(1, 2).name(Path("plain.csv")) == Path("plain.csv")


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "/", "a/b", "-1/4", "1/4/2", "1/٤", "1/0", ""])
def test_what_names_no_shard_is_refused(text: str) -> None:
    with pytest.raises(FiqaError, match="1/16 for the first of 16"):
        Shard.parse(text)


def test_what_names_one() -> None:
    assert Shard.parse("3/16") == Shard(3, 16)
    assert str(Shard.parse("03/16")) == "3/16"
