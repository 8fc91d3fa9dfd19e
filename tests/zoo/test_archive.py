import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.archive import unpack
from zoo.toys import zip_file


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize("top", ["", "buffalo_x/"])
def test_top_folder_or_none_gives_the_same(tmp_path: Path, top: str) -> None:
    members = {f"{top}det.onnx": b"d", f"{top}rec.onnx": b"r", "__MACOSX/._det.onnx": b"junk"}
    unpack(zip_file(tmp_path / "a.zip", members), tmp_path / "out")
    assert contents(tmp_path / "out") == {"det.onnx": b"d", "rec.onnx": b"r"}


@pytest.mark.parametrize(
    "name", ["../evil.onnx", "/evil.onnx", "a/../../evil.onnx", "..\\evil.onnx", "C:\\evil"]
)
def test_member_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    archive = zip_file(tmp_path / "a.zip", {"good.onnx": b"g", name: b"evil"})
    with pytest.raises(FiqaError, match="outside"):
        unpack(archive, tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} == {"a.zip"}


def test_symbolic_link_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link.onnx")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(FiqaError, match="linked"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_bomb_is_refused_before_unpacking(tmp_path: Path) -> None:
    archive = zip_file(tmp_path / "a.zip", {"zeros.onnx": bytes(5_000_000)})
    assert archive.stat().st_size < 10_000
    with pytest.raises(FiqaError, match="no model package"):
        unpack(archive, tmp_path / "out", largest=1_000_000)
    assert not (tmp_path / "out").exists()


def test_thousand_members_are_refused(tmp_path: Path) -> None:
    archive = zip_file(tmp_path / "a.zip", {f"{n}.onnx": b"" for n in range(1000)})
    with pytest.raises(FiqaError, match="1000 files"):
        unpack(archive, tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_member_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("det.onnx", b"one")
        archive.writestr("det.onnx", b"two")
    with pytest.raises(FiqaError, match="twice"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(at=st.floats(0, 1), value=st.integers(0, 255), cut=st.floats(0.1, 1))
def test_damaged_zip_gives_the_files_or_one_error(
    at: float, value: int, cut: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("zip")
    members = {"det.onnx": bytes(range(256)) * 20, "rec.onnx": b"r" * 300}
    data = bytearray(zip_file(folder / "a.zip", members).read_bytes())
    data[min(int(at * len(data)), len(data) - 1)] = value
    (folder / "a.zip").write_bytes(data[: int(cut * len(data))])
    try:
        unpack(folder / "a.zip", folder / "out")
    except FiqaError as error:
        assert "\n" not in str(error)
        assert not (folder / "out").exists()
    else:
        assert set(contents(folder / "out").values()) <= set(members.values())
