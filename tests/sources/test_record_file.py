import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa_cli.sources.listing import count, expand
from fiqa_cli.sources.reasons import UnreadableImage
from fiqa_cli.sources.record_file import labelled_entries
from sources.containers import (
    PHOTOS,
    members,
    reasons,
    record,
    record_io,
    why_not,
    write_rec,
)

MAGIC = struct.pack("<I", 0xCED7230A)


def named(path: Path, images: list[bytes]) -> dict[str, bytes]:
    return {f"{path}::{number}": image for number, image in enumerate(images, 1)}


@pytest.mark.parametrize("index", [True, False])
def test_a_set_of_insightface(tmp_path: Path, index: bool) -> None:
    """Its records about the set and about identities are no images."""
    path = write_rec(tmp_path / "train.rec", PHOTOS, index=index)
    expected = named(path, PHOTOS)
    assert members(path) == expected
    assert list(members(path)) == list(expected)
    assert members(*expected) == expected
    assert count([str(path)]) == 6


def test_a_file_without_a_record_about_it(tmp_path: Path) -> None:
    """As im2rec writes it: all records are images, one label or several."""
    path = tmp_path / "a.rec"
    path.write_bytes(
        record_io(record(PHOTOS[0], [1.0, 2.0, 3.0], 0)) + record_io(record(PHOTOS[1], 5.0, 1))
    )
    assert members(path) == {f"{path}::0": PHOTOS[0], f"{path}::1": PHOTOS[1]}


def test_labels_are_read_with_the_header_alone(tmp_path: Path) -> None:
    """One label, several, and a record that the magic number cuts within its header."""
    path = tmp_path / "a.rec"
    whole = (record(b"x", 5.0, 0), record(b"", [7.0, 2.0], 1), record(b"x", 3.0, 0xCED7230A))
    path.write_bytes(b"".join(map(record_io, whole)))
    found = [(entry.path, label) for entry, label in labelled_entries(str(path))]
    assert found == [(f"{path}::0", 5.0), (f"{path}::1", 7.0), (f"{path}::2", 3.0)]
    path.write_bytes(record_io(record(b"x", float("nan"), 0)))
    with pytest.raises(UnreadableImage, match=r"a\.rec::0: a label that is no number"):
        list(labelled_entries(str(path)))
    whole = record_io(record(b"x", 1.0, 0))
    for last, reason in (
        (b"short", "a record without a header"),
        (record(b"", [7.0], 0)[:-1], "a record shorter than its labels"),
    ):
        path.write_bytes(whole + record_io(last))
        with pytest.raises(UnreadableImage, match=reason):
            list(labelled_entries(str(path)))


def test_keys_of_the_index_need_not_rise(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    first = record_io(record(PHOTOS[0], 0.0, 9))
    path.write_bytes(first + record_io(record(PHOTOS[1], 0.0, 3)))
    (tmp_path / "a.idx").write_text(f"90\t0\n3\t{len(first)}\n")
    expected = {f"{path}::90": PHOTOS[0], f"{path}::3": PHOTOS[1]}
    assert list(members(path).items()) == list(expected.items())
    assert members(*expected) == expected
    assert reasons(f"{path}::4") == {f"{path}::4": "no such member of a.rec"}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([MAGIC, b"\0", b"image", b"x" * 7]), min_size=1).map(b"".join),
        min_size=1,
        max_size=4,
    )
)
def test_images_that_hold_the_magic_number(
    tmp_path_factory: pytest.TempPathFactory, images: list[bytes]
) -> None:
    path = tmp_path_factory.getbasetemp() / "magic.rec"
    write_rec(path, images, index=False)
    assert members(path) == named(path, images)


def broken(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    found = reasons(path)
    (reason,) = set(found.values())
    return reason


def test_what_is_broken_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    head = struct.Struct("<II").pack
    whole = record_io(record(PHOTOS[0], 0.0, 0))
    assert broken(path, b"") == "record 0: truncated RecordIO file"
    assert broken(path, b"hello world") == (
        "record 0: broken RecordIO file: no record where one should begin"
    )
    assert broken(path, head(0xCED7230A, 4) + b"abcd").endswith("a record without a header")
    assert broken(path, record_io(struct.pack("<IfQQ", 1 << 31, 0, 0, 0))).endswith(
        "a record shorter than its labels"
    )
    assert broken(path, head(0xCED7230A, 2 << 29) + whole).endswith("a part is out of its place")
    assert broken(path, head(0xCED7230A, 1 << 29) + whole).endswith("a part is out of its place")
    assert broken(path, head(0xCED7230A, (1 << 29) - 1)).endswith("larger than 256 MB")
    assert broken(path, whole + whole[:-4]) == "truncated RecordIO file"
    assert broken(path, record_io(record(b"", [float("inf")], 0))).endswith("no number of images")
    assert broken(path, whole + record_io(record(b"", 0.0, 1))) == "a record without an image"


@pytest.mark.parametrize("line", ["", "x\t1\n", "1\t2\t3\n", "1\n", "-1\t5\n", "1\t" + "9" * 20])
def test_a_broken_index(tmp_path: Path, line: str) -> None:
    path = write_rec(tmp_path / "a.rec", PHOTOS[:2])
    index = path.with_suffix(".idx")
    index.write_text("".join(index.read_text().splitlines(keepends=True)[:2]) + line)
    found = {entry.path: entry.reason for entry in expand([str(path)])}
    assert found == {f"{path}::1": ""} | (
        {str(path): "its .idx is broken or truncated at line 3"} if line else {}
    )


def test_an_index_that_points_anywhere(tmp_path: Path) -> None:
    path = write_rec(tmp_path / "a.rec", PHOTOS[:1])
    path.with_suffix(".idx").write_text(f"0\t0\n1\t{1 << 62}\n1\t3\n")
    assert [reason.split(":")[0] for reason in map(why_not, expand([str(path)]))] == [
        "truncated RecordIO file",
        "broken RecordIO file",
    ]
