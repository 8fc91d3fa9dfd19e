import os
from pathlib import Path

import pytest

from fiqa_cli.records.transfer import Transfer, copy, link, move


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos/ann/1.jpg", "photos/bob/1.jpg", "photos/bob/-2 \udce9.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name.encode("utf-8", "replace").decode())
        os.utime(path, (1e9, 1e9))
    return tmp_path


def transfer(place, chosen, seen=("photos/ann/1.jpg", "photos/bob/1.jpg"), dry_run=False):
    heard = []
    job = Transfer(place.__name__, Path("good"))
    job.see([*seen, *chosen])
    job.choose(chosen)
    failures = job.run(lambda source, target, trouble: heard.append((source, trouble)), dry_run)
    assert failures == sum(bool(trouble) for _, trouble in heard)
    return dict(heard)


def test_copies_keep_folders_below_the_common_one_and_times(photos):
    assert transfer(copy, ["photos/bob/1.jpg", "photos/bob/-2 \udce9.jpg"]) == {
        "photos/bob/1.jpg": "",
        "photos/bob/-2 \udce9.jpg": "",
    }
    # Although nobody but bob was chosen.
    assert (photos / "good/bob/1.jpg").read_text() == "photos/bob/1.jpg"
    assert (photos / "good/bob/-2 \udce9.jpg").exists()
    assert (photos / "good/bob/1.jpg").stat().st_mtime == 1e9
    assert (photos / "photos/bob/1.jpg").exists()


@pytest.mark.parametrize("place", [copy, move, link])
def test_nothing_is_overwritten_and_the_rest_goes_on(photos, place):
    (photos / "good/ann").mkdir(parents=True)
    (photos / "good/ann/1.jpg").write_text("mine")
    heard = transfer(place, ["photos/ann/1.jpg", "photos/bob/1.jpg"])
    assert "already there" in heard["photos/ann/1.jpg"]
    assert heard["photos/bob/1.jpg"] == ""
    assert (photos / "good/ann/1.jpg").read_text() == "mine"
    assert (photos / "photos/ann/1.jpg").exists()
    with pytest.raises(FileExistsError):
        place(photos / "photos/ann/1.jpg", photos / "good/ann/1.jpg")
    assert (photos / "good/ann/1.jpg").read_text() == "mine"
    assert (photos / "photos/ann/1.jpg").exists()


def test_moved_files_are_gone_and_moved_links_still_find_theirs(photos):
    (photos / "photos/ann/link.jpg").symlink_to("1.jpg")
    transfer(move, ["photos/bob/1.jpg", "photos/ann/link.jpg"])
    assert not (photos / "photos/bob/1.jpg").exists()
    assert (photos / "good/bob/1.jpg").read_text() == "photos/bob/1.jpg"
    assert (photos / "good/ann/link.jpg").read_text() == "photos/ann/1.jpg"


def test_a_move_across_file_systems_copies(photos, monkeypatch):
    def refuse(self, target):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    transfer(move, ["photos/bob/1.jpg"])
    assert not (photos / "photos/bob/1.jpg").exists()
    assert (photos / "good/bob/1.jpg").read_text() == "photos/bob/1.jpg"


def test_links_are_relative_where_paths_are(photos):
    absolute = str(photos / "photos/ann/1.jpg")
    transfer(link, ["photos/bob/1.jpg", absolute])
    assert Path("good/bob/1.jpg").readlink() == Path("../../photos/bob/1.jpg")
    assert Path("good/ann/1.jpg").readlink() == Path(absolute)
    assert (photos / "good/bob/1.jpg").read_text() == "photos/bob/1.jpg"


def test_two_names_of_one_file_are_one(photos):
    assert list(transfer(copy, ["photos/bob/1.jpg", "./photos/bob/../bob/1.jpg"])) == [
        "photos/bob/1.jpg"
    ]


def test_what_is_no_file_is_said(photos):
    heard = transfer(copy, ["photos/none.jpg", "photos/t.tar::a.jpg", "photos/ann"])
    assert "no such file" in heard["photos/none.jpg"]
    assert "archive" in heard["photos/t.tar::a.jpg"]
    assert heard["photos/ann"] == "not a file"


def test_a_file_with_two_colons_stays_below_the_destination(photos):
    (photos / "photos/ann/a::b.jpg").write_text("x")
    heard = transfer(copy, ["photos/ann/a::b.jpg"])
    assert heard == {"photos/ann/a::b.jpg": ""}
    assert (photos / "good/ann/a::b.jpg").exists()


def test_a_dry_run_finds_trouble_and_touches_nothing(photos):
    heard = transfer(move, ["photos/bob/1.jpg", "photos/none.jpg"], dry_run=True)
    assert heard["photos/bob/1.jpg"] == ""
    assert heard["photos/none.jpg"]
    assert not (photos / "good").exists()
    assert (photos / "photos/bob/1.jpg").exists()


def test_nothing_chosen_is_nothing_done(photos):
    assert transfer(copy, [], seen=[]) == {}
