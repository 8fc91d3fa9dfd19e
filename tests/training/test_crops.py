import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.crops import Crops, hold_out, open_crops
from sources.containers import write_rec
from training.small_faces import write_faces


def shard(folder: Path, file: Path, mode: str = "w") -> Path:
    with tarfile.open(file, mode) as archive:  # type: ignore[call-overload]
        # Out of order, as shards are.
        for path in sorted(folder.glob("*/*"), reverse=True):
            archive.add(path, f"set/{path.relative_to(folder)}")
    return file


def cut(file: Path, size: int) -> Path:
    file.write_bytes(file.read_bytes()[:size])
    return file


def listed(folder: Path, *paths: str) -> Path:
    rows = "".join(f"{path},id{number}\n" for number, path in enumerate(paths))
    (folder / "list.csv").write_text(f"path,identity\n{rows}")
    return folder / "list.csv"


def contents(crops: Crops) -> dict[tuple[str, int], bytes]:
    numbers = range(len(crops))
    return {(crops.names[crops.identities[i]], i): crops.read(i).tobytes() for i in numbers}


def test_folders_shards_and_lists_give_the_same_crops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = write_faces(tmp_path / "faces", identities=3, each=2)
    expected = open_crops([faces])
    assert expected.names == ["id0", "id1", "id2"]
    assert expected.identities.tolist() == [0, 0, 1, 1, 2, 2]
    assert contents(open_crops([shard(faces, tmp_path / "a::b.tar")])) == contents(expected)

    monkeypatch.chdir(tmp_path)
    rows = "".join(
        f"{path.relative_to(tmp_path)},{path.parent.name}\n" for path in faces.glob("*/*")
    )
    Path("list.csv").write_text(f"path,identity\n{rows}")
    assert contents(open_crops([Path("list.csv")])) == contents(expected)


def test_the_labels_of_a_training_set_are_its_identities(tmp_path: Path) -> None:
    faces = sorted(write_faces(tmp_path / "faces", identities=2, each=6).glob("*/*"))
    file = write_rec(tmp_path / "train.rec", [face.read_bytes() for face in faces])
    crops = open_crops([file])
    assert crops.names == ["0", "1"]  # `write_rec` labels the records by their number's last bit
    found = [(int(entry.path.rpartition("::")[2]), k) for k, entry in enumerate(crops.entries)]
    assert sorted(key for key, _ in found) == list(range(1, 13))
    for key, number in found:
        assert crops.identities[number] == key % 2
        picture = np.asarray(Image.open(faces[key - 1]))
        np.testing.assert_array_equal(crops.read(number), picture)


def test_lists_may_name_members_of_shards_and_of_training_sets(tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces", identities=2, each=1)
    images = [path.read_bytes() for path in sorted(faces.glob("*/*"))]
    one, two = write_rec(tmp_path / "a.rec", images), shard(faces, tmp_path / "a.tar")
    crops = open_crops([listed(tmp_path, f"{one}::2", f"{two}::set/id0/0.png")])
    assert crops.names == ["id0", "id1"]
    np.testing.assert_array_equal(crops.read(0), np.asarray(Image.open(faces / "id1/0.png")))
    np.testing.assert_array_equal(crops.read(1), np.asarray(Image.open(faces / "id0/0.png")))


def test_an_identity_may_be_spread_over_several_sources(tmp_path: Path) -> None:
    one, two = (write_faces(tmp_path / name, identities=2, each=1) for name in ("one", "two"))
    (two / "id1").rename(two / "id7")
    crops = open_crops([one, shard(two, tmp_path / "two.tar")])
    assert crops.names == ["id0", "id1", "id7"]
    assert crops.identities.tolist() == [0, 0, 1, 2]


def test_what_a_shard_holds_besides_images_is_passed_over(tmp_path: Path) -> None:
    file = shard(write_faces(tmp_path / "faces", 1, 1), tmp_path / "a.tar")
    with tarfile.open(file, "a") as archive:
        for name, kind in (("id0/x.txt", tarfile.REGTYPE), ("id0/link.png", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member, io.BytesIO())
    assert len(open_crops([file])) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "absent", r"no folder, tar shard, \.rec file or list"),
        (lambda p: p, "no crops"),
        *(
            (lambda p, k=k: shard(write_faces(p / "f"), p / f"a.tar.{k}", f"w:{k}"), "compressed")
            for k in ("gz", "bz2", "xz")
        ),
        (lambda p: cut(shard(write_faces(p / "f"), p / "a.tar"), 9000), "truncated tar"),
        (lambda p: cut(write_rec(p / "a.rec", [b"1" * 99]), 45), "truncated RecordIO"),
        (
            lambda p: listed(p, f"{shard(write_faces(p / 'f'), p / 'a.tar')}::x.png"),
            "no such member",
        ),
    ],
)
def test_sources_without_crops_are_told(make, message: str, tmp_path: Path) -> None:
    with pytest.raises(FiqaError, match=message):
        open_crops([make(tmp_path)])


def test_a_list_without_identities_is_told(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,quality\na.png,1\n")
    with pytest.raises(FiqaError, match="no column identity"):
        open_crops([tmp_path / "list.csv"])


def test_images_that_are_no_aligned_crops_are_told(tmp_path: Path) -> None:
    folder = write_faces(tmp_path, 1, 1) / "id0"
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(folder / "1.png")
    (folder / "2.png").write_bytes(b"no image")
    crops = open_crops([tmp_path])
    with pytest.raises(FiqaError, match="9x8, expected"):
        crops.read(1)
    with pytest.raises(FiqaError, match="cannot be read as an image"):
        crops.read(2)


def test_held_out_identities_are_whole_and_leave_some() -> None:
    identities = np.repeat(np.arange(5), 3)
    aside = hold_out(identities, 2, seed=1)
    assert aside.sum() == 6
    assert len(set(identities[aside])) == 2
    assert not hold_out(identities, 0, seed=1).any()
    with pytest.raises(FiqaError, match="5 identities"):
        hold_out(identities, 5, seed=1)
