"""Which files hold images, in folders too, and how a member is named and found again."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from fiqa_cli.sources.container import exists, split
from fiqa_cli.sources.entry import Entry, image_of
from fiqa_cli.sources.listing import count, expand
from sources.containers import (
    PHOTOS,
    members,
    reasons,
    write_bin,
    write_parquet,
    write_rec,
    write_tar,
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_gives_what_its_datasets_hold_in_order(here: Path) -> None:
    write_tar(Path("b.tar"), {"1.jpg": PHOTOS[1], "0.jpg": PHOTOS[0]})
    write_tar(Path("d.TGZ"), {"2.jpg": PHOTOS[2]}, "w:gz")
    write_rec(Path("e.rec"), PHOTOS[3:4])
    write_parquet(Path("c.parquet"), [PHOTOS[4]], "huggingface")
    write_bin(Path("lfw.bin"), PHOTOS[:2])  # a benchmark, and other .bin are none
    Path("a.jpg").write_bytes(PHOTOS[5])
    Path("f.jpg").symlink_to("a.jpg")
    Path("g.tar").symlink_to("b.tar")
    Path("h.tar").mkdir()
    Path("h.tar/x.jpg").write_bytes(PHOTOS[0])
    Path(".i.tar").write_bytes(b"x")
    assert list(members(".")) == [
        "./a.jpg",
        "./b.tar::1.jpg",
        "./b.tar::0.jpg",
        "./c.parquet::0",
        "./d.TGZ::2.jpg",
        "./e.rec::1",
        "./f.jpg",
        "./g.tar::1.jpg",
        "./g.tar::0.jpg",
        "./h.tar/x.jpg",
    ]
    assert list(members(".")) == list(members("."))
    assert count(["."]) is None
    Path("d.TGZ").unlink()
    assert count(["."]) == 9


def test_what_is_printed_can_be_given_again(here: Path) -> None:
    write_tar(Path("b.tar"), {"1.jpg": PHOTOS[1], "é\n.jpg": PHOTOS[0]})
    write_rec(Path("e.rec"), PHOTOS[3:])
    write_bin(Path("lfw.bin"), PHOTOS[:2])
    found = members("e.rec", "lfw.bin", "b.tar")
    assert len(found) == 7
    Path("list").write_text("\0".join(found))
    assert list(members("@list", null=True).items()) == list(found.items())
    assert members(*reversed(found)) == found
    assert count(["@list"], null=True) == 7


def test_a_file_whose_name_has_two_colons_goes_before(here: Path) -> None:
    write_tar(Path("a.tar"), {"x.jpg": PHOTOS[0], "y.jpg": PHOTOS[1]})
    Path("a.tar::x.jpg").write_bytes(PHOTOS[2])
    assert members("a.tar::x.jpg", "a.tar::y.jpg") == {
        "a.tar::x.jpg": PHOTOS[2],
        "a.tar::y.jpg": PHOTOS[1],
    }
    write_tar(Path("b::c.tar"), {"d::e.jpg": PHOTOS[3]})
    assert members("b::c.tar::d::e.jpg") == {"b::c.tar::d::e.jpg": PHOTOS[3]}
    assert split("b::c.tar::d::e.jpg") == ("b::c.tar", "d::e.jpg")


def test_names_of_nothing(here: Path) -> None:
    write_tar(Path("a.tar"), {"x.jpg": PHOTOS[0]})
    assert reasons("a.tar::", "a.tar::z.jpg", "none.tar::x.jpg", "a.jpg::x.jpg") == {
        "a.tar::": "no such member of a.tar",
        "a.tar::z.jpg": "no such member of a.tar",
        "none.tar::x.jpg": "no such file or directory",
        "a.jpg::x.jpg": "no such file or directory",
    }
    assert split("http://[::1]/a.jpg") is None
    assert split("http://[::1]/a.tar?x=y::b.jpg") == ("http://[::1]/a.tar?x=y", "b.jpg")
    assert exists("a.tar::gone.jpg") and exists("s3://b/a.jpg") and not exists("b.tar::x.jpg")


def test_images_of_a_verification_set(here: Path) -> None:
    path = write_bin(Path("lfw.bin"), [*PHOTOS, *PHOTOS[:2]])
    expected = {f"lfw.bin::{n}": photo for n, photo in enumerate([*PHOTOS, *PHOTOS[:2]])}
    assert members(path) == expected
    assert members(*expected) == expected
    assert reasons("lfw.bin::8", "lfw.bin::-1", "lfw.bin::x") == {
        f"lfw.bin::{member}": "no such member of lfw.bin" for member in ("8", "-1", "x")
    }
    path.write_bytes(pickle.dumps(([Path("x")], [True])))
    assert reasons(path)["lfw.bin"].startswith("refused to unpickle it: it asks for 'pathlib")


def test_entries_travel_between_processes(here: Path) -> None:
    """As the image of each, without what is open here."""
    write_tar(Path("a.tar"), {"x.jpg": PHOTOS[0]})
    write_tar(Path("b.tgz"), {"x.jpg": PHOTOS[1]}, "w:gz")
    write_rec(Path("c.rec"), PHOTOS[2:3])
    write_parquet(Path("d.parquet"), [PHOTOS[3]], "img2dataset")
    write_bin(Path("e.bin"), PHOTOS[4:6])
    entries = list(expand(["a.tar", "b.tgz", "c.rec", "d.parquet", "e.bin"]))
    for entry in entries:
        assert len(pickle.dumps(entry)) < 300
        assert pickle.loads(pickle.dumps(entry)) == entry
    Path("entries").write_bytes(pickle.dumps(entries))
    code = (
        "import pickle; from fiqa_cli.sources.entry import image_of\n"
        "for entry in pickle.load(open('entries', 'rb')): print(image_of(entry).hex())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [bytes.fromhex(line) for line in done.stdout.split()] == PHOTOS
    assert image_of(Entry("a.jpg")) == "a.jpg"


def test_a_container_that_changes_is_opened_anew(here: Path) -> None:
    write_tar(Path("a.tar"), {"x.jpg": PHOTOS[0]})
    assert members("a.tar::x.jpg") == {"a.tar::x.jpg": PHOTOS[0]}
    write_tar(Path("a.tar"), {"y.jpg": b"", "x.jpg": PHOTOS[1]})
    assert members("a.tar::x.jpg") == {"a.tar::x.jpg": PHOTOS[1]}
