import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest
import webdataset

from fiqa_cli.sources.listing import count, expand
from sources.containers import PHOTOS, members, reasons, write_tar

NAMED = {f"{number:06}.jpg": content for number, content in enumerate(PHOTOS)}


def test_a_shard_of_webdataset(tmp_path: Path) -> None:
    shard = tmp_path / "shard-0001.tar"
    with webdataset.TarWriter(str(shard)) as writer:
        for name, content in NAMED.items():
            writer.write({"__key__": name[:-4], "jpg": content, "json": {"label": 1}, "cls": 3})
    assert members(shard) == {f"{shard}::{name}": content for name, content in NAMED.items()}


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_every_kind_of_tar(tmp_path: Path, format: int, mode: str) -> None:
    names = ["./a.jpg", "b/c.JPG", "long/" * 18 + "d.png", "é.webp", "latin\udce9.jpg", "a::b.jpg"]
    path = tmp_path / ("x.tar" if mode == "w" else "x.tar.gz")
    with tarfile.open(path, mode, format=format, errors="surrogateescape") as archive:  # type: ignore[call-overload]
        for name, content in zip(names, PHOTOS, strict=True):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
            archive.addfile(tarfile.TarInfo(f"{name}.txt"))
    expected = dict(zip((f"{path}::{name}" for name in names), PHOTOS, strict=True))
    assert members(path) == expected
    assert members(*expected) == expected  # by name, each
    assert count([str(path)]) == (None if mode == "w:gz" else 6)


def test_hidden_members_are_skipped_and_names_may_occur_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in [
            ("._a.jpg", b"x"),
            (".x/a.jpg", b"x"),
            ("a.jpg", b"1"),
            ("a.jpg", b"2"),
        ]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    both = list(expand([str(path)]))
    assert [entry.path for entry in both] == [f"{path}::a.jpg"] * 2
    assert [entry.place.read() for entry in both if entry.place] == [b"1", b"2"]
    assert list(expand([f"{path}::a.jpg"])) == both


def test_hostile_members_never_touch_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(PHOTOS[0])
    folder = tmp_path / "in"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with tarfile.open("evil.tar", "w") as archive:
        for name, kind, link in [
            ("link.jpg", tarfile.SYMTYPE, str(secret)),
            ("hard.jpg", tarfile.LNKTYPE, "../secret.jpg"),
            ("fifo.jpg", tarfile.FIFOTYPE, ""),
            ("zero.jpg", tarfile.CHRTYPE, ""),
            ("dir.jpg", tarfile.DIRTYPE, ""),
            ("link", tarfile.SYMTYPE, "/etc"),
        ]:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            archive.addfile(member)
        for name in ("/tmp/absolute.jpg", "../up.jpg", str(secret)):
            member = tarfile.TarInfo(name)
            member.size = len(PHOTOS[1])
            archive.addfile(member, io.BytesIO(PHOTOS[1]))
    assert reasons("evil.tar") == {
        "evil.tar::link.jpg": "is a link inside a tar",
        "evil.tar::hard.jpg": "is a link inside a tar",
        "evil.tar::fifo.jpg": "is a device or sparse file inside a tar",
        "evil.tar::zero.jpg": "is a device or sparse file inside a tar",
        "evil.tar::dir.jpg": "is a directory",
    }
    for name in ("/tmp/absolute.jpg", "../up.jpg", str(secret)):
        assert members(f"evil.tar::{name}") == {f"evil.tar::{name}": PHOTOS[1]}
    assert os.listdir(folder) == ["evil.tar"]
    assert not (tmp_path / "up.jpg").exists()


def test_sizes_that_lie_cost_no_memory(tmp_path: Path) -> None:
    def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
        member = tarfile.TarInfo(name)
        member.size, member.type = size, kind
        return member.tobuf(tarfile.GNU_FORMAT)

    path = tmp_path / "a.tar"
    path.write_bytes(header("a.jpg", 1 << 60) + b"x")
    assert reasons(path) == {f"{path}::a.jpg": "larger than 256 MB", str(path): "truncated tar"}
    path.write_bytes(header("a.jpg", 1 << 27) + b"x")
    assert reasons(path)[f"{path}::a.jpg"] == "truncated tar: 1 of its 134217728 bytes"
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE):
        path.write_bytes(header("a.jpg", 1 << 40, kind) + bytes(2000))
        assert reasons(path) == {str(path): "broken tar: a header of more than 1 MB"}
    # Sizes below 0, by which tarfile went round in circles (CVE-2025-8194).
    for size in (-512, -1024, -(1 << 40)):
        path.write_bytes(header("b.jpg", 0) + header("a.jpg", size) + header("c.jpg", 0))
        assert str(path) in reasons(path)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_what_was_whole_before_the_end_is_kept(tmp_path: Path, mode: str) -> None:
    path = write_tar(tmp_path / "a.tar", NAMED, mode)
    whole = path.read_bytes()  # less the zeros that tarfile ends it with
    size = len(whole.rstrip(b"\0"))
    path.write_bytes(whole[: size * 2 // 3])
    entries = list(expand([str(path)]))
    assert entries[-1].path == str(path)
    assert "truncated" in entries[-1].reason
    assert len(reasons(path)) <= 2
    assert len(entries) >= 3


def test_no_tar_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    for content in (b"", b"hello", b"x" * 3000, gzip.compress(b"hello")):
        path.write_bytes(content)
        assert reasons(path) == {str(path): "not a tar file, or broken from its first header"}
    path.write_bytes(PHOTOS[0])
    assert members(path) == {str(path): PHOTOS[0]}  # a photo whatever it is called
    write_tar(path, {})
    assert list(expand([str(path)])) == []
    path.unlink()
    assert reasons(path) == {str(path): "no such file or directory"}
    os.mkfifo(path)
    assert reasons(path) == {str(path): "is a named pipe"}


def test_reading_does_not_depend_on_the_order(tmp_path: Path) -> None:
    """Of a gzip file, too, that can only be read forwards."""
    path = write_tar(
        tmp_path / "a.tar.gz", {f"{n}.jpg": bytes([n]) * 400_000 for n in range(9)}, "w:gz"
    )
    entries = list(expand([str(path)]))
    for number in (5, 2, 8, 0, 7, 1):
        place = entries[number].place
        assert place is not None
        assert place.read() == bytes([number]) * 400_000
