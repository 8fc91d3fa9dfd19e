import re
from pathlib import Path
from urllib.parse import urlparse

import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.registry import find, models, resolve

REQUIRED = {
    *("ediffiqa-n", "scrfd-n", "ediffiqa-t", "ediffiqa-s", "ediffiqa-m", "ediffiqa-l"),
    *("ediffiqa-t-opencv", "diffiqa-r", "diffiqa", "faceqan", "cosface-r100"),
    *("sharpness", "embedding-norm"),
    *("buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc", "antelopev2"),
}


def test_every_promised_model_is_there() -> None:
    assert set(models()) >= REQUIRED


@pytest.mark.parametrize("name", list(models()))
def test_entry_is_complete(name: str) -> None:
    model = find(name)
    assert model.name == name
    assert model.licence and model.paper and model.summary
    assert model.kind in ("quality", "recogniser", "detector")
    if model.kind == "detector":
        assert model.detector.endswith(".onnx")
    elif model.method in ("diffiqa", "faceqan", "embedding-norm"):
        assert find(model.recogniser).kind == "recogniser"
        assert model.network == ("unet" if model.method == "diffiqa" else "")
    elif model.method == "sharpness":
        assert model.network == ""
    else:
        assert model.network in ("mobilefacenet", "iresnet18", "iresnet50", "iresnet100")
        assert model.preprocessing and len(model.preprocessing.mean) == 3
    if model.kind == "quality":
        methods = ("ediffiqa", "diffiqa-r", "diffiqa", "faceqan", "sharpness", "embedding-norm")
        assert model.method in methods
    assert (
        model.source in ("recogniser", "none")
        or model.obtain
        or model.built_in
        or any(a.url for a in model.artifacts)
    )
    for artifact in model.artifacts:
        assert artifact.format in ("torch", "safetensors", "onnx", "pack")
        if not model.built_in:
            assert urlparse(artifact.url or "").scheme == "https"
            assert artifact.bytes or artifact.about
    for digest in [a.sha256 for a in model.artifacts if a.sha256] + list(model.members.values()):
        assert re.fullmatch("[0-9a-f]{64}", digest)


def test_file_names_are_unique_so_that_a_mirror_is_one_folder() -> None:
    files = [a.file for m in models().values() for a in m.artifacts]
    assert len(files) == len(set(files))
    assert all("/" not in file for file in files)


def test_built_in_models_say_non_commercial() -> None:
    built_in = [m for m in models().values() if m.built_in]
    assert {"ediffiqa-n", "scrfd-n"} <= {m.name for m in built_in}
    assert all("non-commercial" in m.licence for m in built_in)


def test_default_download_has_a_published_hash_where_there_is_one() -> None:
    for size in "tsml":
        artifact = find(f"ediffiqa-{size}").artifact()
        assert artifact and artifact.sha256 and artifact.format == "onnx"
        torch = find(f"ediffiqa-{size}").artifact("torch")
        assert torch and torch.format == "torch"
    assert find("diffiqa-r").artifact() is None
    assert find("diffiqa-r").source == "import"


def test_source_follows_from_what_there_is() -> None:
    sources = {name: find(name).source for name in ("faceqan", "faceqan-n", "embedding-norm")}
    assert set(sources.values()) == {"recogniser"}
    assert find("sharpness").source == "none"
    assert find("diffiqa").source == find("cosface-r100").source == "import"
    assert find("diffiqa-n").source == "built-in"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("ediffiqa_m", "ediffiqa-m"), ("buffalo-l", "buffalo_l"), ("DIFFIQA-R", "diffiqa-r")],
)
def test_unknown_name_offers_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(FiqaError, match=f"did you mean .*{meant}.*fiqa models list"):
        resolve(typed)


def test_unknown_name_without_neighbour() -> None:
    with pytest.raises(FiqaError, match="'fiqa models list' shows all"):
        find("zzz")


def test_missing_file_is_not_taken_for_a_name(tmp_path: Path) -> None:
    with pytest.raises(FiqaError, match=r"no model file .*nothing\.pth"):
        resolve(str(tmp_path / "nothing.pth"))
    with pytest.raises(FiqaError, match=r"no model file x\.onnx"):
        resolve("x.onnx")
