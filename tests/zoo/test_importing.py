from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.importing import import_file
from fiqa_cli.zoo.model import Artifact, Model
from fiqa_cli.zoo.pull import pull
from fiqa_cli.zoo.receipt import read_receipt
from fiqa_cli.zoo.registry import find
from fiqa_cli.zoo.store import locate, place, verify
from zoo.server import Site
from zoo.toys import onnx_file, sha, thin_state, zip_file


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    torch.save(thin_state("ediffiqa-t"), tmp_path / "ediffiqaT.pth")
    return tmp_path / "ediffiqaT.pth"


def test_state_dict_is_copied_recorded_and_used(tiny_file: Path, cache: Path) -> None:
    told: list[str] = []
    path = import_file(find("ediffiqa-t"), tiny_file, told.append)
    assert path == cache / "models" / "ediffiqa-t" / "imported.pth" == locate(find("ediffiqa-t"))
    assert path.read_bytes() == tiny_file.read_bytes()
    digest = sha(tiny_file.read_bytes())
    assert digest in told[0]
    entry = read_receipt(path.parent)["imported.pth"]
    assert (entry.sha256, entry.origin, entry.published) == (digest, str(tiny_file), False)
    tiny_file.unlink()
    assert [check.result for check in verify(find("ediffiqa-t"))] == ["ok"]
    path.write_bytes(b"replaced")
    with pytest.raises(FiqaError, match="models import FILE --as ediffiqa-t"):
        locate(find("ediffiqa-t"))


def test_diffiqa_r_comes_only_this_way(tmp_path: Path) -> None:
    torch.save(thin_state("diffiqa-r"), tmp_path / "diffiqa(r).pth")
    path = import_file(find("diffiqa-r"), tmp_path / "diffiqa(r).pth")
    assert locate(find("diffiqa-r")) == path


def test_file_of_another_model_is_refused_and_leaves_nothing(tiny_file: Path, cache: Path) -> None:
    with pytest.raises(FiqaError, match=r"ediffiqaT\.pth does not hold ediffiqa-s"):
        import_file(find("ediffiqa-s"), tiny_file)
    assert place(find("ediffiqa-s")) is None
    assert list((cache / "models" / "ediffiqa-s").iterdir()) == []


def test_onnx_is_checked_by_its_input_and_output(tmp_path: Path) -> None:
    good = onnx_file(tmp_path / "good.onnx")
    assert import_file(find("ediffiqa-m"), good).name == "imported.onnx"
    bad = onnx_file(tmp_path / "bad.onnx", shape=(3, 640, 640))
    with pytest.raises(FiqaError, match=r"bad\.onnx takes"):
        import_file(find("ediffiqa-m"), bad)
    assert locate(find("ediffiqa-m")).read_bytes() == good.read_bytes()
    with pytest.raises(FiqaError, match="state dict"):
        import_file(find("cosface-r100"), good)


def test_second_import_replaces_the_first(tiny_file: Path, tmp_path: Path, cache: Path) -> None:
    import_file(find("ediffiqa-t"), tiny_file)
    import_file(find("ediffiqa-t"), onnx_file(tmp_path / "q.onnx"))
    assert locate(find("ediffiqa-t")).name == "imported.onnx"
    names = {p.name for p in (cache / "models" / "ediffiqa-t").iterdir()}
    assert names == {"imported.onnx", "receipt.json"}


def test_import_of_the_published_file_is_recognised(tiny_file: Path) -> None:
    artifact = Artifact("t.pth", "torch", sha256=sha(tiny_file.read_bytes()))
    told: list[str] = []
    path = import_file(replace(find("ediffiqa-t"), artifacts=(artifact,)), tiny_file, told.append)
    assert read_receipt(path.parent)["imported.pth"].published
    assert told == []


def test_imported_file_stays_in_use_after_a_pull(tiny_file: Path, site: Site) -> None:
    path = import_file(find("ediffiqa-t"), tiny_file)
    site.files["/t.pth"] = tiny_file.read_bytes()
    artifact = Artifact("t.pth", "torch", site.url + "/t.pth")
    told: list[str] = []
    assert pull(replace(find("ediffiqa-t"), artifacts=(artifact,)), notify=told.append) == path
    assert "stays in use" in told[-1]


def test_pack(tmp_path: Path, cache: Path) -> None:
    model = Model("p", "detector", "", "free", detector="det.onnx")
    archive = zip_file(tmp_path / "mine.zip", {"p/det.onnx": b"d", "p/rec.onnx": b"r"})
    folder = import_file(model, archive)
    assert folder == cache / "models" / "p"
    found = place(model)
    assert found and found.state == "imported"
    assert {check.result for check in verify(model)} == {"ok"}
    with pytest.raises(FiqaError, match="holds no det_10g"):
        import_file(find("buffalo_l"), archive)
    with pytest.raises(FiqaError, match="has to be a zip"):
        import_file(model, onnx_file(tmp_path / "det.onnx"))
    with pytest.raises(FiqaError, match="is zip, but ediffiqa-t"):
        import_file(find("ediffiqa-t"), archive)


def test_nothing_to_import(tiny_file: Path, tmp_path: Path) -> None:
    with pytest.raises(FiqaError, match="comes with fiqa"):
        import_file(find("ediffiqa-n"), tiny_file)
    with pytest.raises(FiqaError, match="there is no file"):
        import_file(find("ediffiqa-t"), tmp_path / "nothing.pth")
    (tmp_path / "page.pth").write_text("<html>Sign in to OneDrive</html>")
    with pytest.raises(FiqaError, match="no weights file"):
        import_file(find("ediffiqa-t"), tmp_path / "page.pth")
