from pathlib import Path

import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.batches import JsonBatch
from fiqa_cli.records.groups import archive_of, folder_of, group_keys, moment_of
from sources.containers import PHOTOS, write_rec


@pytest.mark.parametrize(
    ("path", "folder"),
    [("a/b/c.jpg", "a/b"), ("c.jpg", ""), ("/c.jpg", ""), ("t.tar::c.jpg", "t.tar"),
     ("/t.tar::c.jpg", "/t.tar"), ("x/t.tar::c.jpg", "x/t.tar"),
     ("x/t.tar::d/c.jpg", "x/t.tar::d")],
)  # fmt: skip
def test_the_folder_of_an_archive_member_lies_in_the_archive(path, folder):
    assert folder_of(path) == folder


def test_the_folder_of_a_record_is_its_identity(tmp_path: Path):
    for name in ("train.rec", "upper.REC"):
        path = write_rec(tmp_path / name, PHOTOS)
        folders = [folder_of(f"{path}::{number}") for number in (1, 2, 3, 4)]
        assert folders == [f"{path}/1", f"{path}/0", f"{path}/1", f"{path}/0"]
    assert folder_of(f"{tmp_path}/train.rec") == str(tmp_path)


def test_a_record_that_cannot_be_asked_for_its_identity(tmp_path: Path):
    path = tmp_path / "train.rec"
    with pytest.raises(FiqaError, match=r"train.rec does not tell the identity .* \(no such file"):
        folder_of(f"{path}::1")
    write_rec(path, PHOTOS)
    with pytest.raises(FiqaError, match="no record 99"):
        folder_of(f"{path}::99")
    second = path.with_suffix(".idx").read_text().splitlines()[2]
    content = bytearray(path.read_bytes())
    content[int(second.split()[1])] ^= 1
    path.write_bytes(content)
    assert folder_of(f"{path}::2") == str(path)
    assert folder_of(f"{path}::1") == f"{path}/1"
    other = write_rec(tmp_path / "other.rec", PHOTOS)
    other.with_suffix(".idx").write_text("1\t0\nbroken")
    with pytest.raises(FiqaError, match=r"its \.idx is broken"):
        folder_of(f"{other}::1")


@pytest.mark.parametrize(
    ("path", "video", "moment"),
    [("v/clip.mp4::12.5s", "v/clip.mp4", 12.5), ("clip.mp4::0s", "clip.mp4", 0.0),
     ("t.tar::a.jpg", "t.tar", None), ("a::b/1s", "a", None), ("12.5s", "12.5s", None)],
)  # fmt: skip
def test_a_frame_is_named_by_its_video_and_moment(path, video, moment):
    assert (archive_of(path), moment_of(path)) == (video, moment)


def test_several_names_make_a_group_together():
    rows = [
        {"path": "a/x.mp4::1s", "track": 1},
        {"path": "a/x.mp4::2s", "track": 2},
        {"path": "b/x.mp4::1s"},
    ]
    batch = JsonBatch("jsonl", rows, [b""] * 3)
    keys = group_keys(batch, ("video", "track"))
    assert keys == [("a/x.mp4", "1"), ("a/x.mp4", "2"), ("b/x.mp4", "None")]
