import re
import subprocess
from pathlib import Path

import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.pipeline import crop_source
from fiqa_cli.pipeline.crop_source import find_detector
from fiqa_cli.zoo import builtin
from fiqa_cli.zoo.builtin import SUMS, read_sums, weights_folder
from fiqa_cli.zoo.registry import models, read_registry
from fiqa_cli.zoo.seal import seal, sealed_files
from fiqa_cli.zoo.store import locate, verify

REGISTRY = (weights_folder() / "registry.toml").read_bytes()
BUILT_IN = [m.name for m in models().values() if m.built_in]
SINGLE = [a.file for name in BUILT_IN for a in models()[name].artifacts if a.format != "pack"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_registry_files_sums_and_card_agree(name: str) -> None:
    model = models()[name]
    checks = list(verify(model))
    assert checks
    assert {check.result for check in checks} == {"ok"}, "run: python -m fiqa_cli.zoo.seal"
    card = (weights_folder() / model.card).read_text(encoding="utf-8")
    assert "non-commercial" in card
    sums = set(read_sums(weights_folder()).values())
    assert set(re.findall(r"\b[0-9a-f]{64}\b", card)) <= sums


def test_nothing_is_sealed_that_is_not_there_and_the_reverse() -> None:
    there, missing = sealed_files(weights_folder())
    assert not missing
    assert set(there) == set(read_sums(weights_folder()))


def toy_weights(folder: Path) -> Path:
    """A weights folder as in a checkout: single files, one package, a card."""
    (folder / "scrfd-n").mkdir(parents=True)
    (folder / "registry.toml").write_bytes(REGISTRY)
    for name in SINGLE:
        (folder / name).write_bytes(name.encode())
    (folder / "scrfd-n" / "det_scrfd_n.onnx").write_bytes(b"three")
    (folder / "scrfd-n" / "README.md").write_text("card")
    return folder


def test_seal_is_what_sha256sum_checks(tmp_path: Path) -> None:
    folder = toy_weights(tmp_path / "weights")
    assert seal(folder) == []
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", SUMS], cwd=folder, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(read_sums(folder)) == {*SINGLE, "scrfd-n/det_scrfd_n.onnx"}


def test_seal_names_what_is_missing(tmp_path: Path) -> None:
    folder = toy_weights(tmp_path / "weights")
    (folder / "ediffiqa-n.safetensors").unlink()
    assert seal(folder) == ["ediffiqa-n.safetensors"]


def test_built_in_model_is_verified_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = toy_weights(tmp_path / "weights")
    seal(folder)
    monkeypatch.setattr("fiqa_cli.zoo.store.weights_folder", lambda: folder)
    made = read_registry(folder)
    assert locate(made["scrfd-n"]) == folder / "scrfd-n"
    assert locate(made["ediffiqa-n"]) == folder / "ediffiqa-n.safetensors"
    (folder / "scrfd-n" / "det_scrfd_n.onnx").write_bytes(b"THREE!")
    with pytest.raises(FiqaError, match="reinstall fiqa"):
        locate(made["scrfd-n"])


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = toy_weights(tmp_path / "weights")
    seal(folder)
    monkeypatch.setattr("fiqa_cli.zoo.store.weights_folder", lambda: folder)
    return folder


@pytest.mark.parametrize("name", ["ediffiqa-n", "diffiqa-n", "scrfd-n"])
def test_built_in_weights_without_a_seal_are_refused(sealed: Path, name: str) -> None:
    (sealed / SUMS).unlink()
    model = read_registry(sealed)[name]
    with pytest.raises(FiqaError, match="has no sha256 in SHA256SUMS: reinstall fiqa"):
        locate(model)


def test_the_detector_that_is_loaded_is_the_one_that_was_checked(
    sealed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sealed / "scrfd-n" / "det_another.onnx").write_bytes(b"unchecked")
    monkeypatch.setattr(crop_source, "find", read_registry(sealed).__getitem__)
    assert find_detector("scrfd-n") == sealed / "scrfd-n" / "det_scrfd_n.onnx"


def test_a_damaged_memory_of_hashes_condemns_no_file(sealed: Path, cache: Path) -> None:
    model = read_registry(sealed)["fr-n"]
    assert locate(model)
    memory = cache / "hashes.json"
    digest = read_sums(sealed)["fr-n.safetensors"]
    memory.write_text(memory.read_text().replace(digest, "0" * 64))
    assert locate(model) == sealed / "fr-n.safetensors"


def test_installed_folder_wins_over_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "site" / "fiqa_cli" / "zoo" / "builtin.py"
    monkeypatch.setattr(builtin, "__file__", str(module))
    toy_weights(tmp_path / "site" / "weights")
    assert weights_folder() == tmp_path / "site" / "weights"
    toy_weights(tmp_path / "site" / "fiqa_cli" / "weights")
    assert weights_folder() == tmp_path / "site" / "fiqa_cli" / "weights"
