"""What a transfer notes, what undo takes back, and what half a transfer becomes."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.records import transfer as transferring
from fiqa_cli.records.transfer import Transfer
from fiqa_cli.records.transfer_journal import NAME, TransferJournal, read_runs
from fiqa_cli.records.undo import undo

KINDS = ("copy", "move", "link")

Tree = dict[str, bytes]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Images of equal names in two folders, and one of a name that is not UTF-8."""
    monkeypatch.chdir(tmp_path)
    names = ["photos/ann/1.jpg", "photos/bob/1.jpg", "photos/bob/line\n\udce9.jpg"]
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(os.fsencode(name))
    return names


def tree(folder: str = ".") -> Tree:
    """All files and links below a folder, but the journal."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name != NAME
    }


def transfer(kind: str, names: list[str]) -> dict[str, str]:
    said: dict[str, str] = {}
    job = Transfer(kind, Path("good"))
    job.see(names)
    job.choose(names)
    job.run(lambda source, target, trouble: said.update({source: trouble}))
    return said


def take_back(dry_run: bool = False) -> list[str]:
    said: list[str] = []
    failures = undo(Path("good"), lambda act, trouble: said.append(trouble), dry_run)
    assert failures == len([trouble for trouble in said if trouble])
    return said


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_as_before(photos: list[str], kind: str) -> None:
    before = tree()
    assert set(transfer(kind, photos).values()) == {""}
    after = tree()
    assert after != before
    assert set(tree("good")) == {"ann/1.jpg", "bob/1.jpg", "bob/line\n\udce9.jpg"}
    assert take_back(dry_run=True) == ["", "", ""]
    assert tree() == after
    assert take_back() == ["", "", ""]
    assert tree() == before
    assert list(Path("good").iterdir()) == []
    with pytest.raises(FiqaError, match="nothing to undo"):
        take_back()


def test_the_latest_run_goes_first(photos: list[str]) -> None:
    transfer("copy", photos[:1])
    middle = tree()
    job = Transfer("move", Path("good"))
    job.see(photos)
    job.choose(photos[1:])
    job.run(lambda *_: None)
    take_back()
    assert tree() == middle
    take_back()
    assert "good/1.jpg" not in tree()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_overwritten_nor_lost(photos: list[str], kind: str) -> None:
    transfer(kind, photos)
    if kind == "move":
        Path(photos[0]).write_bytes(b"new")
        expected = "is there again"
    elif kind == "copy":
        Path("good/ann/1.jpg").write_bytes(b"edited by hand")
        expected = "changed since"
    else:
        Path("good/ann/1.jpg").unlink()
        Path("good/ann/1.jpg").write_bytes(b"no link")
        expected = "no link any more"
    edited = tree()["good/ann/1.jpg"]
    said = take_back()
    assert said[:2] == ["", ""]
    assert expected in said[2]
    assert tree()["good/ann/1.jpg"] == edited
    # It stays in the journal, for when what is in the way has gone.
    (run,) = read_runs(Path("good").absolute())
    assert [act.target.name for act in run.acts] == ["1.jpg"]


def test_the_last_copy_of_an_image_is_not_removed(photos: list[str]) -> None:
    transfer("copy", photos)
    Path(photos[1]).unlink()
    assert "last copy" in "".join(take_back())
    assert tree()["good/bob/1.jpg"] == os.fsencode(photos[1])


class Killed(BaseException):
    """The process ends here."""


def killed(*_: object) -> None:
    raise Killed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("at", range(1, 14))
def test_death_at_any_step(
    photos: list[str], kind: str, across: bool, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Afterwards each image is whole at one place at least, the same command ends what was begun,
    and undo takes all of it back."""
    before = tree()
    steps = iter(range(at - 1))

    def step(call):  # type: ignore[no-untyped-def]
        def stepped(*arguments, **options):  # type: ignore[no-untyped-def]
            if next(steps, None) is None:
                raise Killed
            return call(*arguments, **options)

        return stepped

    with monkeypatch.context() as patch:
        if across:
            hardlink = os.link

            def refuse(source: Path, target: Path, **options: object) -> None:
                if ".part" not in str(source):
                    raise OSError(18, "Invalid cross-device link")
                hardlink(source, target)

            patch.setattr(os, "link", refuse)
        for name in ("link", "symlink", "unlink", "replace"):
            patch.setattr(os, name, step(getattr(os, name)))
        for name in ("begin", "end"):
            patch.setattr(TransferJournal, name, step(getattr(TransferJournal, name)))
        with suppress(Killed):
            transfer(kind, photos)
    contents = set(tree().values())
    assert contents >= set(before.values())
    for part in Path("good").rglob(".fiqa.part"):
        part.unlink()  # what a process cannot remove that is dead
    said = transfer(kind, photos)
    assert set(said.values()) == {""}
    assert set(tree("good")) == {"ann/1.jpg", "bob/1.jpg", "bob/line\n\udce9.jpg"}
    assert set(tree("photos")) == (set() if kind == "move" else set(tree("good")))
    while Path(f"good/{NAME}").exists():
        assert set(take_back()) <= {""}
    assert tree() == before


@pytest.mark.parametrize("kind", ["copy", "move"])
def test_disk_full_in_the_middle(
    photos: list[str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree()
    calls = iter(range(1))

    def full(old: object, new: object) -> None:
        if next(calls, None) is None:
            raise OSError(28, "No space left on device")
        copy(old, new)

    copy = shutil.copyfileobj
    with monkeypatch.context() as patch:
        patch.setattr(transferring.shutil, "copyfileobj", full)
        patch.setattr(Path, "hardlink_to", refuse_links)
        with pytest.raises(FiqaError, match=r"no space left on device.*fiqa undo .*good"):
            transfer(kind, photos)
    assert set(tree().values()) == set(before.values())
    assert len(tree("good")) == 1
    assert set(transfer(kind, photos).values()) == {""}
    assert len(tree("good")) == 3
    take_back()
    take_back()
    assert tree() == before


def refuse_links(self: Path, target: Path) -> None:
    raise OSError(1, "Operation not permitted")


def test_a_torn_line_does_not_hide_the_others(photos: list[str]) -> None:
    before = tree()
    transfer("move", photos[:1])
    with open(f"good/{NAME}", "ab") as journal:
        journal.write(b'{"act": "move", "sour')
    transfer("move", photos)
    take_back()
    take_back()
    assert tree() == before


def test_two_at_once_are_refused(photos: list[str]) -> None:
    transfer("copy", photos[:1])
    from fiqa_cli.records.lock import take

    with take(Path(f"good/{NAME}"), Path("good")), pytest.raises(FiqaError, match="another run"):
        transfer("copy", photos[1:])
