"""`fiqa embed` as a user runs it."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from cli.command import fiqa, shell
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.records.embeddings import read_embeddings
from fiqa_cli.samples import write_samples
from fiqa_cli.zoo.builtin import weights_folder
from zoo.toys import onnx_recogniser

FILES = ("e.npz", "e.parquet")


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crops")
    rng = np.random.default_rng(0)
    for name in (b"-dash.png", b"latin\xe9.png", b"line\nfeed.png", b"1.png", b"2.png"):
        image = rng.integers(0, 256, (14, 14, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        Image.fromarray(image).save(os.fsdecode(os.path.join(os.fsencode(folder), name)))
    return folder


def pixels(paths: list[str]) -> torch.Tensor:
    images = np.stack([np.asarray(Image.open(path)) for path in paths])
    return torch.from_numpy(images).permute(0, 3, 1, 2).float()


def embed_directly(crops: torch.Tensor) -> torch.Tensor:
    network = MobileFaceNet(features=128).eval()
    state = load_file(weights_folder() / "fr-n.safetensors")
    network.load_state_dict({name: value.float() for name, value in state.items()}, strict=False)
    last: list[torch.Tensor] = []
    # The network normalises behind this layer.
    network.bn.register_forward_hook(lambda module, given, output: last.append(output))
    with torch.no_grad():
        network((crops / 255 - 0.5) / 0.5)
    return last[0]


@pytest.mark.parametrize("name", FILES)
def test_embeddings_are_the_recognisers_own(crops: Path, name: str, tmp_path: Path) -> None:
    command = ("embed", str(crops), "--aligned", "--precision", "fp32", "--with-flip")
    done = fiqa(*command, "-o", name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"5 images" in done.stderr
    found = read_embeddings(tmp_path / name)
    assert sorted(map(os.fsencode, found.paths)) == sorted(
        os.path.join(os.fsencode(crops), file) for file in os.listdir(os.fsencode(crops))
    )
    assert found.faces.tolist() == [0] * 5
    images = pixels(found.paths)
    expected = torch.cat((embed_directly(images), embed_directly(images.flip(3))), 1)
    torch.testing.assert_close(torch.from_numpy(found.vectors), expected, rtol=1e-3, atol=1e-3)
    weights = weights_folder() / "fr-n.safetensors"
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (found.recogniser, found.sha256) == ("fr-n+flip", sha256)
    manifest = json.loads((tmp_path / f"{name}.manifest.json").read_text())
    assert manifest["recogniser"] == {"name": "fr-n", "sha256": sha256}
    assert (manifest["model"], manifest["detector"]) == (None, None)
    assert (manifest["counts"], manifest["precision"]) == ({"ok": 5}, "fp32")
    assert manifest["options"]["with_flip"] is True
    assert manifest["ended"] >= manifest["started"]
    assert {path.name for path in tmp_path.iterdir()} == {name, f"{name}.manifest.json"}


def test_faces_of_photos_are_those_that_score_finds(tmp_path: Path) -> None:
    """Images that give no embedding are in the file, and in the exit code."""
    for _ in write_samples(tmp_path):
        pass
    (tmp_path / "text.jpg").write_text("no image at all\n")
    images = ("group.jpg", "cat.jpg", "text.jpg")
    scored = fiqa("score", *images, "-q", "--format", "jsonl", cwd=tmp_path)
    rows = [json.loads(line) for line in scored.stdout.splitlines()]
    done = fiqa("embed", *images, "-o", "e.npz", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert b"6 ok, 1 no-face, 1 unreadable" in done.stderr
    found = read_embeddings(tmp_path / "e.npz")
    assert list(zip(found.paths, found.faces.tolist(), strict=True)) == [
        (row["path"], row["face"]) for row in rows if row["status"] == "ok"
    ]
    with np.load(tmp_path / "e.npz", allow_pickle=False) as data:
        assert data["missing_path"].tolist() == ["cat.jpg", "text.jpg"]
        assert data["missing_status"].tolist() == ["no-face", "unreadable"]
        assert "not an image" in str(data["missing_error"][1])
    done = fiqa("embed", "group.jpg", "--faces", "largest", "-q", "-o", "e.pq", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(read_embeddings(tmp_path / "e.pq").paths) == 1


def test_paths_from_a_pipe(crops: Path) -> None:
    line = "find . -name '*.png' -print0 | fiqa embed -0 - --aligned -q -o ../piped.npz"
    assert shell(line, crops).returncode == 0
    found = read_embeddings(crops.parent / "piped.npz")
    names = sorted(os.path.join(b".", name) for name in os.listdir(os.fsencode(crops)))
    assert sorted(map(os.fsencode, found.paths)) == names


def test_an_onnx_recogniser_of_the_user(crops: Path, tmp_path: Path) -> None:
    onnx_recogniser(tmp_path / "own.onnx", batch=1)
    command = ("embed", str(crops), "--aligned", "-r", "own.onnx", "-o", "e.npz")
    done = fiqa(*command, cwd=tmp_path)
    assert done.returncode == 0
    assert b"own.onnx gets half pixels by insightface's rule; --preprocessing" in done.stderr
    found = read_embeddings(tmp_path / "e.npz")
    means = pixels(found.paths).mean((2, 3))
    np.testing.assert_allclose(found.vectors, means / 127.5 - 1, atol=1e-4)
    assert found.recogniser == "own.onnx"
    done = fiqa(*command, "--preprocessing", "raw", "-q", cwd=tmp_path)
    assert done.returncode == 0
    assert b"--preprocessing" not in done.stderr
    np.testing.assert_allclose(read_embeddings(tmp_path / "e.npz").vectors, means, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "e.npz"], b"nothing to embed"),
        (["x.jpg"], b"Missing option '--output'"),
        (["x.jpg", "-o", "e.csv"], b"e.csv is neither .npz nor .parquet"),
        (["x.jpg", "-o", "no/such/e.npz"], b"cannot write"),
        (["x.jpg", "-o", "e.npz", "-r", "ediffiqa-n"], b"ediffiqa-n is a quality"),
        (["x.jpg", "-o", "e.npz", "-r", "cosface-r100"], b"fiqa models import FILE --as cosface"),
        (["x.jpg", "-o", "e.npz", "-r", "no.onnx"], b"there is no model file no.onnx"),
        (["x.jpg", "-o", "e.npz", "--preprocessing", "raw"], b"fr-n needs no --preprocessing"),
        (["x.jpg", "-o", "e.npz", "--detector", "fr-n"], b"fr-n is no detector"),
        (["@nowhere.txt", "-o", "e.npz"], b"nowhere.txt"),
    ],
)
def test_mistakes_are_one_line_with_exit_code_2(
    arguments: list[str], message: bytes, tmp_path: Path
) -> None:
    done = fiqa("embed", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith(b"fiqa: ")
    assert done.stderr.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []
