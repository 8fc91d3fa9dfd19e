"""Distillation: the official losses, the kinds of student, and from a folder to scores."""

import csv
import random
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from cli.command import FIQA, fiqa
from fiqa_cli.errors import FiqaError
from fiqa_cli.networks.heads import EDifFIQANetwork
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.training.distill_recipe import DistillRecipe, Head, Loss
from fiqa_cli.training.distillation import Distillation, optimised_label, prepare
from fiqa_cli.training.export import export
from fiqa_cli.training.folding import fold, is_foldable, unfolded_state
from fiqa_cli.training.parallel import THIS
from fiqa_cli.training.pictures import Pictures
from fiqa_cli.training.plan import Plan
from fiqa_cli.training.session import train
from fiqa_cli.zoo.load import load_network
from fiqa_cli.zoo.registry import resolve
from golden.official import GOLDEN
from training.interruption import assert_resumes, complete
from training.small_faces import small_pictures, write_faces

STABLE = DistillRecipe(
    data=(),
    labels="stability",
    loss=Loss.L1,
    copies=1,
    theta=1 / 3,
    recogniser="fr-n",
    backbone="ediffiqa-n",
    steps=3,
    batch=2,
    held_out=1,
    average=0.9,
)


def plan(pictures: Pictures, out: Path, recipe: DistillRecipe = STABLE) -> Plan:
    return prepare(recipe, pictures, out, THIS, lambda line: None)


def write_labels(folder: Path, file: Path) -> Path:
    """A report that tells the brightness of each image."""
    rng = np.random.default_rng(0)
    rows = [f"{path},{rng.random():.4f}" for path in sorted(folder.glob("*/*"))]
    file.write_text("\n".join(("path,quality", *rows)) + "\n")
    return file


def test_optimised_labels_and_their_loss_are_the_official_ones() -> None:
    golden = GOLDEN["label_optimisation"]
    rng = np.random.default_rng(GOLDEN["salt"] + 5)
    embedding = rng.normal(size=(6, 512))
    centre = rng.normal(size=(6, 512)) + 0.5 * embedding
    label, prediction = rng.uniform(size=6), rng.uniform(size=6)
    given = [torch.from_numpy(x).float() for x in (label, embedding, centre)]
    distance = 1 - F.cosine_similarity(given[1], given[2])
    torch.testing.assert_close(distance, torch.tensor(golden["cosine_distance"]))
    target = optimised_label(*given, golden["epsilon"])
    torch.testing.assert_close(target, torch.tensor(golden["target"]), rtol=1e-5, atol=1e-6)

    class Student(torch.nn.Module):
        def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
            return given[1], torch.from_numpy(prediction).float()

    objective = Distillation(Student(), 0.0, golden["epsilon"])  # type: ignore[arg-type]
    loss, _ = objective(torch.zeros(6, 3, 1, 1), given[0], given[1], given[2])
    assert loss.item() == pytest.approx(golden["l1_loss"], rel=1e-5)


def test_theta_weighs_the_two_terms_and_labels_get_no_gradient() -> None:
    embedding = torch.tensor([[1.0, 0.0], [0.0, 2.0]], requires_grad=True)
    quality = torch.tensor([0.5, 0.25])

    class Student(torch.nn.Module):
        def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
            return embedding, quality

    frozen = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    label = torch.tensor([0.25, 0.75])
    crops = torch.zeros(2, 3, 1, 1)
    loss, terms = Distillation(Student(), 0.2, 0.5)(crops, label, frozen)  # type: ignore[arg-type]
    assert terms["quality"].item() == pytest.approx(0.375)
    assert terms["consistency"].item() == pytest.approx(0.5)
    assert loss.item() == pytest.approx(0.2 * 0.5 + 0.8 * 0.375)
    assert not optimised_label(label, embedding, frozen, 0.5).requires_grad


def test_a_stopped_run_goes_on_and_is_exported_as_trained(tmp_path: Path) -> None:
    faces = small_pictures(tmp_path / "faces", each=3)
    kept = assert_resumes(lambda: plan(faces, tmp_path), tmp_path, until=2)
    made = plan(faces, tmp_path)
    assert made.folded
    assert any(name.startswith("projection.") for name in kept)
    file = tmp_path / "quality.safetensors"
    export(kept, made.architecture, file, {}, folded=True, half=True)
    assert file.stat().st_size < 4_000_000
    # What is exported scores as what was trained, apart from half precision.
    trained = made.task.objective.student
    trained.load_state_dict(kept)
    network = load_network(resolve(str(file)), file)
    inputs = torch.rand(4, 3, 112, 112) * 2 - 1
    with torch.inference_mode():
        expected = trained(inputs)[1]
        torch.testing.assert_close(network(inputs)[1], expected, atol=0.02, rtol=0.02)


@pytest.mark.parametrize(
    ("head", "loss", "method"),
    [(Head.MLP, Loss.OPTIMISED, "ediffiqa"), (Head.LINEAR, Loss.L1, "diffiqa-r")],
)
def test_every_head_makes_a_model_that_is_known(
    tmp_path: Path, head: Head, loss: Loss, method: str
) -> None:
    faces = small_pictures(tmp_path / "faces", each=3, copies=0)
    recipe = DistillRecipe(
        data=(),
        labels=str(write_labels(tmp_path / "faces", tmp_path / "labels.csv")),
        backbone="fr-n",
        head=head,
        loss=loss,
        best=1.0,
        fewest=2,
        steps=2,
        batch=4,
        validation=0.25,
    )
    made = plan(faces, tmp_path, recipe)
    # DifFIQA(R) knows no embeddings: neither computed nor compared.
    assert (tmp_path / "embeddings.npz").exists() == (head is Head.MLP)
    kept = complete(made, tmp_path)
    export(kept, made.architecture, tmp_path / "q.safetensors", {}, folded=made.folded)
    found = resolve(str(tmp_path / "q.safetensors"))
    assert (found.method, found.network, found.config["features"]) == (method, "mobilefacenet", 128)


def test_only_the_last_parameters_are_trained_until_the_thaw(tmp_path: Path) -> None:
    faces = small_pictures(tmp_path / "faces", each=3)
    recipe = replace(STABLE, trained=67, thaw=2, average=0.0, validation=0.0)
    made = plan(faces, tmp_path, recipe)
    before = {name: value.clone() for name, value in made.task.objective.student.named_parameters()}
    front = tuple(
        f"network.base_model.{name}." for name in ("conv1", "conv2_dw", "conv_23", "conv_3")
    )
    still = {name for name in before if name.startswith(front)}
    after = complete(replace(made, schedule=replace(made.schedule, steps=2)), tmp_path / "two")
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert not moved & still
    assert "network.base_model.conv_34.conv.conv.weight" in moved
    made = plan(faces, tmp_path, recipe)
    after = complete(made, tmp_path / "three")
    name = f"{front[0]}conv.weight"
    assert not torch.equal(before[name], after[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"copies": 0}, "--copies 2"),
        ({"loss": Loss.OPTIMISED}, "--loss l1"),
        ({"labels": "r.csv"}, "go with --labels stability or expected"),
        ({"labels": "expected", "loss": Loss.OPTIMISED}, "--labels expected are optimised"),
        ({"validation": 1.0}, "parts of 1"),
    ],
)
def test_recipes_that_contradict_themselves_are_told(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(FiqaError, match=message):
        replace(STABLE, **change)  # type: ignore[arg-type]


def test_centres_of_another_recogniser_than_the_backbone_are_told(tmp_path: Path) -> None:
    faces = small_pictures(tmp_path / "faces", each=3, copies=0)
    labels = write_labels(tmp_path / "faces", tmp_path / "labels.csv")
    recipe = DistillRecipe(
        data=(), labels=str(labels), recogniser="fr-n", backbone="ediffiqa-n", best=1.0, fewest=1
    )
    with pytest.raises(FiqaError, match=r"ediffiqa-n \(512 values\) with those of fr-n \(128"):
        plan(faces, tmp_path, recipe)


def test_folding_and_unfolding_change_no_result() -> None:
    torch.manual_seed(0)
    network = EDifFIQANetwork(MobileFaceNet()).train()
    assert not is_foldable(network)
    for name, value in network.named_parameters():
        if "prelu" in name:
            value.data.zero_()
    assert is_foldable(network)
    inputs = torch.rand(4, 3, 112, 112) * 2 - 1
    with torch.no_grad():
        network(inputs)  # gives the normalisations statistics other than 0 and 1
        expected = network.eval()(inputs)
        fold(network)
        official = EDifFIQANetwork(MobileFaceNet()).eval()
        official.load_state_dict(unfolded_state(network, official))
        for out in (network(inputs), official(inputs)):
            torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-4)


def test_a_second_run_in_the_folder_of_a_finished_one_changes_nothing(tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces", 4, 3)
    recipe = replace(STABLE, data=(str(faces),))
    file = train(recipe, tmp_path / "m", torch.device("cpu"))
    before, card = load_file(file), (tmp_path / "m" / "README.md").read_text()
    train(recipe, tmp_path / "m", torch.device("cpu"))
    assert all(torch.equal(value, before[name]) for name, value in load_file(file).items())
    assert (tmp_path / "m" / "README.md").read_text() == card
    with pytest.raises(FiqaError, match="and seed"):
        train(replace(recipe, seed=2), tmp_path / "m", torch.device("cpu"))


def test_from_a_folder_to_a_scored_report(tmp_path: Path) -> None:
    """As in the README: score, distil, score by what was distilled."""
    write_faces(tmp_path / "faces", 5, 4)
    labelled = fiqa("score", "faces", "--aligned", "-q", "-o", "labels.csv", cwd=tmp_path)
    assert labelled.returncode == 0, labelled.stderr
    options = "--backbone fr-n --best 0.5 --fewest 1 --steps 6 --batch 4 --every 3 -o my-model"
    trained = fiqa(
        "train", "distill", "faces", "--labels", "labels.csv", *options.split(), cwd=tmp_path
    )
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout == b""
    told = trained.stderr.decode()
    assert "20 images of 5 identities" in told
    assert "step 6/6  loss " in told
    assert "  validation " in told
    assert " left\n" in told
    scored = fiqa("score", "faces", "--aligned", "-q", "--model", "./my-model", cwd=tmp_path)
    rows = list(csv.DictReader(scored.stdout.decode().splitlines()))
    assert len(rows) == 20
    assert {row["model"] for row in rows} == {"my-model"}
    assert len({row["quality"] for row in rows}) > 10


def test_expected_labels_teach_by_the_layers_of_an_onnx_recogniser(tmp_path: Path) -> None:
    write_faces(tmp_path / "faces", 5, 4)
    exported = fiqa("models", "export", "fr-n", "--onnx", "fr.onnx", cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    line = (
        "train distill faces --labels expected --loss l1 --theta 0.2 --copies 1 --held-out 1 "
        "--backbone ediffiqa-n --recogniser {} --steps 2 --batch 4 -o m"
    )
    trained = fiqa(*line.format("fr.onnx").split(), cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert b"expected similarity: correlation " in trained.stderr
    with np.load(tmp_path / "m" / "features.npz") as kept:
        assert kept["embeddings"].shape[:2] == (20, 2)
    scored = fiqa("score", "faces", "--aligned", "-q", "--model", "./m", cwd=tmp_path)
    assert len(scored.stdout.splitlines()) == 21
    refused = fiqa(*line.format("fr-n").replace("-o m", "-o n").split(), cwd=tmp_path)
    assert refused.returncode == 2
    assert b"fiqa models export NAME --onnx FILE" in refused.stderr


def test_a_run_killed_at_random_ends_like_one_that_was_not(tmp_path: Path) -> None:
    write_faces(tmp_path / "faces", 4, 4)
    line = (
        "train distill faces --labels stability --loss l1 --theta 0.5 --copies 1 --backbone fr-n "
        "--average 0.9 --warm-up 3 --decay cosine --mirror --steps 12 --batch 4 --every 2 -q -o"
    )
    command = [FIQA, *line.split()]
    subprocess.run([*command, "whole"], cwd=tmp_path, timeout=600, check=True)
    process = subprocess.Popen([*command, "cut"], cwd=tmp_path)
    while process.poll() is None and not (tmp_path / "cut" / "checkpoint.pt").exists():
        time.sleep(0.01)
    time.sleep(random.random())
    process.send_signal(signal.SIGKILL)
    process.wait()
    step = torch.load(tmp_path / "cut" / "checkpoint.pt", weights_only=True)["step"]
    subprocess.run([*command, "cut"], cwd=tmp_path, timeout=600, check=True)
    whole, cut = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole), f"killed after step {step}"
