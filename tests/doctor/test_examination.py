"""`fiqa doctor`: it tells what is wrong, and one thing that is missing hides no other."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from cli.interruption import here
from fiqa_cli.doctor import examination, golden, versions
from fiqa_cli.doctor.cache import cache
from fiqa_cli.doctor.finding import Finding, discreet
from fiqa_cli.doctor.images import FORMATS, images
from fiqa_cli.doctor.settings import settings
from fiqa_cli.doctor.weights import weights
from fiqa_cli.errors import FiqaError
from fiqa_cli.sources import formats
from fiqa_cli.zoo.builtin import read_sums, weights_folder

SECTIONS = ("versions", "devices", "images", "models", "detectors", "cache", "self-test")


def wrong(findings: list[Finding]) -> dict[str, str]:
    return {finding.name: finding.remedy for finding in findings if finding.remedy}


def test_here_everything_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fiqa.toml").write_text('[score]\nmin-face = 20\nmodel = "ediffiqa-n"\n')
    assert here("doctor") == 0
    text = capfd.readouterr().out
    assert [line for line in text.splitlines() if line in SECTIONS] == list(SECTIONS)
    assert "  [score] min-face 20\n" in text
    assert text.endswith("everything works\n")
    assert str(Path.home()) not in text
    assert here("doctor", "--json") == 0
    report = json.loads(capfd.readouterr().out)
    assert report["fine"] is True
    assert all(f"  {finding['name']} " in text for finding in report["findings"])


def test_without_insightface_the_rest_is_told_and_crops_are_scored(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("insightface", "insightface.model_zoo", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    assert here("doctor", "--json") == 1
    found = [Finding(**each) for each in json.loads(capfd.readouterr().out)["findings"]]
    remedies = wrong(found)
    assert set(remedies) == {"insightface", "onnxruntime", "not found out", "photo, cpu fp32"}
    assert remedies["insightface"] == "python -m pip install --force-reinstall insightface"
    values = {finding.name: finding.value for finding in found}
    assert "±" in values["crop, cpu fp32"]
    assert "install insightface onnxruntime" in values["photo, cpu fp32"]


def test_weights_that_were_tampered_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(weights_folder(), folder)
    monkeypatch.setattr("fiqa_cli.zoo.store.weights_folder", lambda: folder)
    path = folder / "ediffiqa-n.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    (folder / "fr-n.safetensors").unlink()
    assert here("doctor") == 1
    lines = capfd.readouterr().out.splitlines()
    for name in ("ediffiqa-n", "fr-n"):
        place = next(n for n, line in enumerate(lines) if line.startswith(f"! {name}"))
        assert lines[place + 1].strip().startswith("remedy: ")
        assert "reinstall fiqa" in lines[place + 1]
    assert sum(line.startswith("! crop") or line.startswith("! photo") for line in lines) >= 2
    assert lines[-1].endswith("wrong: see the lines with !")


def test_the_golden_qualities_are_those_of_the_weights() -> None:
    sums = read_sums(weights_folder())
    expected = {
        "ediffiqa-n": sums["ediffiqa-n.safetensors"],
        "scrfd-n": sums["scrfd-n/det_scrfd_n.onnx"],
    }
    assert golden.read_golden().sha256 == expected, "run: python -m fiqa_cli.doctor.golden"


def test_the_golden_qualities_are_what_is_written_anew(tmp_path: Path) -> None:
    golden.write_golden(tmp_path)
    written = golden.Golden(**json.loads((tmp_path / golden.FILE).read_text()))
    known = golden.read_golden()
    assert (written.crop, written.photo) == pytest.approx((known.crop, known.photo), abs=0.003)
    assert written.sha256 == known.sha256


def test_a_part_that_fails_is_told_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError("first line\nsecond line")

    monkeypatch.setattr(examination, "versions", broken)
    monkeypatch.setattr(examination, "self_test", lambda: iter(()))
    found = list(examination.examine())
    assert found[0].value == "OSError: first line"
    assert found[0].remedy
    assert {finding.section for finding in found} > {"images", "cache"}


def test_packages_that_are_missing_or_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["numpy>=999", "no-such-package>=2", "never-wanted>=1; extra == 'ray'", "rich>=1"]
    monkeypatch.setattr(versions.metadata, "requires", lambda name: needed)
    found = {finding.name: finding for finding in versions.versions()}
    assert found["no-such-package"].value == "not installed"
    assert found["no-such-package"].remedy == "python -m pip install 'no-such-package>=2'"
    assert found["numpy"].value.endswith(", not >=999")
    assert not found["rich"].remedy
    assert "never-wanted" not in found


def test_a_library_of_the_system_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(name: str) -> None:
        raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(versions.metadata, "requires", lambda name: ["opencv-python>=4"])
    monkeypatch.setattr(versions, "import_module", fails)
    found = {finding.name: finding for finding in versions.versions()}["opencv-python"]
    assert "does not load: libGL.so.1" in found.value
    assert found.remedy == "apt-get install libgl1 libglib2.0-0"


def test_every_format_is_tried(tmp_path: Path) -> None:
    from PIL import Image

    found = {finding.name: finding for finding in images()}
    assert list(found) == list(FORMATS)
    for name in ("JPEG", "PNG", "BMP", "GIF", "TIFF", "Netpbm"):
        assert found[name].value == "yes"
        path = tmp_path / "picture"
        Image.new("RGB", (64, 64)).save(path, FORMATS[name])
        known = formats.sniff(path.read_bytes()[:64])
        assert known is not None and known.name == name


def test_a_cache_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FIQA_CACHE", str(tmp_path / "file" / "cache"))
    assert "set FIQA_CACHE" in wrong(list(cache()))["folder"]


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIQA_CACHE", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "x").write_bytes(bytes(2_000_000))
    found = {finding.name: finding for finding in cache()}
    assert found["holds"].value == "1 files, 2.0 MB"
    assert not wrong(list(found.values()))
    usage = shutil.disk_usage(tmp_path)._replace(free=10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert "make room" in wrong(list(cache()))["free"]


def test_packages_of_insightface_s_own_folder_are_found() -> None:
    folder = Path.home() / ".insightface" / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "det_mine.onnx").write_bytes(b"")
    found = {finding.name: finding for finding in weights()}["mine"]
    assert (found.section, found.value) == ("detectors", "--detector ~/.insightface/models/mine")


def test_settings_are_told_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIQA_MIRROR", "https://me:secret@host/files?token=hidden")
    monkeypatch.setenv("FIQA_MODEL", f"{Path.home()}/mine.pth")
    found = {
        finding.name: finding.value for finding in settings(lambda: {"score": {"min_face": 9}})
    }
    assert found["[score] min-face"] == "9"
    assert found["FIQA_MIRROR"] == "https://…@host/files?…"
    assert found["FIQA_MODEL"] == "~/mine.pth"


def test_a_settings_file_with_a_mistake_is_told() -> None:
    def read() -> dict[str, dict[str, object]]:
        raise FiqaError("fiqa.toml: [score] has no option modle")

    assert wrong(list(settings(read)))["settings file"]


def test_discreet() -> None:
    assert discreet(Path.home() / "a") == "~/a"
    assert discreet("http://token@host/a") == "http://…@host/a"
    assert discreet("half of a@b") == "half of a@b"
