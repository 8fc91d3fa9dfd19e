import inspect
import os
import socket
import sys
import threading
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.sources import listing
from fiqa_cli.sources.listing import Entry, expand


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def paths(*inputs: object, **options: object) -> list[str]:
    entries = list(expand([str(each) for each in inputs], **options))  # type: ignore[arg-type]
    assert not any(entry.reason for entry in entries)
    return [entry.path for entry in entries]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_paths_are_passed_on_as_written(here: Path) -> None:
    touch(here, "a.txt", "sub/b.jpg")
    given = ["a.txt", "./a.txt", "sub/../a.txt", "missing.jpg", "-x.jpg", "sub//b.jpg"]
    assert paths(*given) == given


def test_folder_is_walked_in_byte_order(here: Path) -> None:
    touch(here, "d/b.JPG", "d/a/z.webp", "d/a/deep/er/y.HEIC", "d/B.png", "d/é.gif", "d/c.tif")
    touch(here, "d/notes.txt", "d/jpg", "d/.hidden.jpg", "d/.cache/x.jpg", "d/._b.jpg")
    assert paths("d") == [
        "d/B.png",
        "d/a/deep/er/y.HEIC",
        "d/a/z.webp",
        "d/b.JPG",
        "d/c.tif",
        "d/é.gif",
    ]
    assert paths("./d/") == ["./d/" + path[2:] for path in paths("d")]


def test_current_folder(here: Path) -> None:
    touch(here, "x.png")
    assert paths(".") == ["./x.png"]


def test_lists_and_stdin_mix_with_paths(here: Path) -> None:
    touch(here, "d/in.jpg")
    (here / "list.txt").write_bytes(b"one.jpg\n\n d \r\nd\n@nested\n-\n--help\nlast")
    stdin = BytesIO(b"from stdin.jpg\n")
    assert paths("first", "@list.txt", "-", "end", stdin=stdin) == [
        "first",
        "one.jpg",
        " d ",
        "d/in.jpg",
        "@nested",
        "-",
        "--help",
        "last",
        "from stdin.jpg",
        "end",
    ]


def test_file_whose_name_starts_with_an_at_sign(here: Path) -> None:
    touch(here, "@x")
    assert paths("./@x") == ["./@x"]


@given(st.lists(st.binary(min_size=1).filter(lambda name: b"\0" not in name)))
def test_nul_separated_names_survive_whatever_their_bytes(names: list[bytes]) -> None:
    names = [b"no-such-folder/" + name for name in names]
    stdin = BytesIO(b"\0".join(names))
    found = [entry.path for entry in expand(["-"], null=True, stdin=stdin)]
    assert [os.fsencode(path) for path in found] == names


def test_odd_names_in_folders(here: Path) -> None:
    odd = [b"-rf.jpg", b"a b.jpg", b"line\nbreak.jpg", b"\xff\xfe.jpg", "é\u2028.jpg".encode()]
    (here / "d").mkdir()
    for name in odd:
        with open(b"d/" + name, "wb"):
            pass
    assert [os.fsencode(path) for path in paths("d")] == [b"d/" + name for name in sorted(odd)]


@pytest.mark.parametrize("null", [False, True])
def test_stdin_is_read_as_it_arrives(null: bool) -> None:
    end = b"\0" if null else b"\n"
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as stdin:
        entries = expand(["-"], null=null, stdin=stdin)
        got: list[Entry] = []
        for name in (b"one.jpg", b"two\xff.jpg"):
            os.write(write_end, name + end + b"be")
            reader = threading.Thread(target=lambda: got.append(next(entries)), daemon=True)
            reader.start()
            reader.join(5)
            assert not reader.is_alive(), "waits for more input than one name"
        os.close(write_end)
        got += entries
    assert [os.fsencode(entry.path) for entry in got] == [b"one.jpg", b"betwo\xff.jpg", b"be"]


def test_missing_list_is_a_usage_error_before_anything_is_read(here: Path) -> None:
    with pytest.raises(FiqaError, match=r"list no\.txt: no such file.*\./@no\.txt"):
        expand(["photo.jpg", "@no.txt"])
    with pytest.raises(FiqaError, match="is a directory"):
        expand(["@."])


def test_list_without_permission(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(here, "list.txt")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(FiqaError, match="permission denied"):
        expand(["@list.txt"])


def test_nul_separated_input_without_the_option(here: Path) -> None:
    with pytest.raises(FiqaError, match="add -0"):
        list(expand(["-"], stdin=BytesIO(b"a.jpg\0b.jpg\0")))


@pytest.mark.parametrize("null", [False, True])
def test_input_that_is_no_list_is_not_read_to_its_end(null: bool) -> None:
    class Endless(BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return b"a" * (size or 1)

    with pytest.raises(FiqaError, match="is not a list of paths"):
        list(expand(["-"], null=null, stdin=Endless()))


def test_folder_called_like_an_image(here: Path) -> None:
    touch(here, "d/x.jpg/in.jpg", "d/y.jpg")
    walked = [Entry("d/x.jpg", "is a directory"), Entry("d/x.jpg/in.jpg")]
    assert list(expand(["d"])) == [*walked, Entry("d/y.jpg")]
    assert list(expand(["d/x.jpg"])) == walked
    assert list(expand(["d/x.jpg/"])) == [Entry("d/x.jpg/in.jpg")]


def test_symbolic_links(here: Path) -> None:
    touch(here, "d/real.jpg", "elsewhere/far.jpg")
    (here / "d/alias.jpg").symlink_to("real.jpg")
    (here / "d/folder").symlink_to("../elsewhere")
    (here / "d/broken.jpg").symlink_to("nowhere")
    (here / "d/broken").symlink_to("nowhere")
    assert list(expand(["d"])) == [
        Entry("d/alias.jpg"),
        Entry("d/broken.jpg", "broken symbolic link"),
        Entry("d/folder/far.jpg"),
        Entry("d/real.jpg"),
    ]


@pytest.mark.parametrize(
    ("links", "reason"),
    [
        ({"loop": "."}, "is a symbolic link to a folder that it lies in"),
        ({"loop.jpg": "."}, "is a symbolic link to a folder that it lies in"),
        ({"x.jpg": "x.jpg"}, "too many levels of symbolic links"),
        ({"a": "b", "b": "a"}, "too many levels of symbolic links"),
        ({"sub/up": ".."}, "is a symbolic link to a folder that it lies in"),
    ],
)
def test_symbolic_link_loops(here: Path, links: dict[str, str], reason: str) -> None:
    touch(here, "d/good.jpg", "d/sub/good.jpg")
    for name, target in links.items():
        (here / "d" / name).symlink_to(target)
    entries = list(expand(["d"]))
    assert {entry.path for entry in entries if not entry.reason} == {
        "d/good.jpg",
        "d/sub/good.jpg",
    }
    bad = [entry for entry in entries if entry.reason]
    assert sorted(bad, key=lambda entry: entry.path) == [
        Entry(f"d/{name}", reason) for name in sorted(links)
    ]


def test_two_folders_that_link_to_each_other_end(here: Path) -> None:
    touch(here, "d/a/1.jpg", "d/b/2.jpg")
    (here / "d/a/to-b").symlink_to("../b")
    (here / "d/b/to-a").symlink_to("../a")
    entries = list(expand(["d"]))
    assert len(entries) == 6
    assert [entry.path for entry in entries if entry.reason] == ["d/a/to-b/to-a", "d/b/to-a/to-b"]


def test_pipes_and_sockets_are_reported_not_opened(here: Path) -> None:
    os.mkfifo("pipe.jpg")
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind("plug.png")
        assert list(expand(["."])) == [
            Entry("./pipe.jpg", "is a named pipe"),
            Entry("./plug.png", "is a socket"),
        ]


def test_folder_without_permission(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(here, "d/locked/in.jpg", "d/z.jpg")
    scandir = os.scandir

    def refuse(path: bytes) -> object:
        if path.endswith(b"locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(listing.os, "scandir", refuse)
    assert list(expand(["d"])) == [Entry("d/locked", "permission denied"), Entry("d/z.jpg")]
    assert list(expand(["d/locked"])) == [Entry("d/locked", "permission denied")]


def test_deeper_than_python_may_recurse(here: Path) -> None:
    deepest = "/".join("d" * 300) + "/x.jpg"
    touch(here, deepest)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 100)
    try:
        assert paths("d") == [deepest]
    finally:
        sys.setrecursionlimit(limit)


def test_path_that_no_file_can_have() -> None:
    assert list(expand(["", "a\0b", "\ud800"])) == [Entry(""), Entry("a\0b"), Entry("\ud800")]
