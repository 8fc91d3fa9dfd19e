"""Wrong weights on the command line: exit code 2 and one line that names the file."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from cli.interruption import here
from fiqa_cli.zoo.builtin import weights_folder


class Hostile:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.witness}'",)


@pytest.fixture
def crop(tmp_path: Path) -> Path:
    Image.new("RGB", (112, 112), "grey").save(tmp_path / "crop.png")
    return tmp_path / "crop.png"


def diverged(path: Path) -> None:
    save_file({"a": torch.tensor([float("nan")])}, path)


def of_another_network(path: Path) -> None:
    save_file({"a": torch.ones(1)}, path)


def with_code(path: Path) -> None:
    torch.save({"a": Hostile(path.with_name("ran"))}, path)


def cut_off(path: Path) -> None:
    whole = (weights_folder() / "ediffiqa-n.safetensors").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def huge_header(path: Path) -> None:
    path.write_bytes((99_000_000).to_bytes(8, "little") + b'{"a":' + b" " * 50)


def pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def nothing(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (diverged, "take another checkpoint or copy"),
        (of_another_network, "fits no architecture"),
        (with_code, "was refused"),
        (cut_off, "download it again"),
        (huge_header, "is cut off"),
        (pointer, "is no weights file"),
        (nothing, "is no weights file"),
    ],
)
@pytest.mark.parametrize("option", ["--model", "--recogniser"])
def test_wrong_weights_end_with_one_line(
    make, told: str, option: str, crop: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = crop.with_name("own.pth")
    make(path)
    model = ("-m", "faceqan-n") if option == "--recogniser" else ()
    told = "is no recogniser" if (make, option) == (of_another_network, "--recogniser") else told
    assert here("score", crop, "--aligned", *model, option, path) == 2
    output = capfd.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert output.err.startswith(f"fiqa: {path}")
    assert told in output.err
    assert not crop.with_name("ran").exists()


@pytest.mark.parametrize(
    ("file", "more"), [("ediffiqa-n.safetensors", ("--aligned",)), ("scrfd-n/det_scrfd_n.onnx", ())]
)
def test_built_in_weights_that_were_tampered_with_are_refused(
    file: str,
    more: tuple[str, ...],
    crop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = crop.with_name("weights")
    shutil.copytree(weights_folder(), folder)
    monkeypatch.setattr("fiqa_cli.zoo.store.weights_folder", lambda: folder)
    assert here("score", crop, "-q", *more) == 0  # its hash is remembered now
    content = bytearray((folder / file).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / file).write_bytes(content)
    capfd.readouterr()
    assert here("score", crop, "-q", *more) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert f"{folder / file} has not the sha256 it should have" in error
    assert "reinstall fiqa" in error
    name = file.split(".")[0].split("/")[0]
    assert here("models", "verify", name) == 1
    assert f"{name}\tdamaged\t" in capfd.readouterr().out
