import pytest

from fiqa_cli.records.batches import JsonBatch
from fiqa_cli.records.groups import folder_of, group_keys, moment_of, video_of


@pytest.mark.parametrize(
    ("path", "folder"),
    [("a/b/c.jpg", "a/b"), ("c.jpg", ""), ("/c.jpg", ""), ("t.tar::c.jpg", "t.tar"),
     ("/t.tar::c.jpg", "/t.tar"), ("x/t.tar::c.jpg", "x/t.tar"),
     ("x/t.tar::d/c.jpg", "x/t.tar::d")],
)  # fmt: skip
def test_the_folder_of_an_archive_member_lies_in_the_archive(path, folder):
    assert folder_of(path) == folder


@pytest.mark.parametrize(
    ("path", "video", "moment"),
    [("v/clip.mp4::12.5s", "v/clip.mp4", 12.5), ("clip.mp4::0s", "clip.mp4", 0.0),
     ("t.tar::a.jpg", "t.tar", None), ("a::b/1s", "a", None), ("12.5s", "12.5s", None)],
)  # fmt: skip
def test_a_frame_is_named_by_its_video_and_moment(path, video, moment):
    assert (video_of(path), moment_of(path)) == (video, moment)


def test_several_names_make_a_group_together():
    rows = [
        {"path": "a/x.mp4::1s", "track": 1},
        {"path": "a/x.mp4::2s", "track": 2},
        {"path": "b/x.mp4::1s"},
    ]
    batch = JsonBatch("jsonl", rows, [b""] * 3)
    keys = group_keys(batch, ("video", "track"))
    assert keys == [("a/x.mp4", "1"), ("a/x.mp4", "2"), ("b/x.mp4", "None")]
