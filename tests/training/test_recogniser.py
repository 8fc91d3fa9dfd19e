import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.distilled import normalise
from fiqa_cli.training.backbones import open_backbone
from fiqa_cli.training.batches import channels_first, draw
from fiqa_cli.training.crops import hold_out
from fiqa_cli.training.embeddings import cosine, open_teacher
from fiqa_cli.training.export import export
from fiqa_cli.training.parallel import THIS
from fiqa_cli.training.pictures import Pictures
from fiqa_cli.training.plan import Plan
from fiqa_cli.training.recogniser import (
    Imitation,
    RecogniserRecipe,
    embed,
    prepare,
    stability,
    watch,
)
from fiqa_cli.training.recogniser_validation import true_accept_rate
from training.interruption import assert_resumes, complete
from training.small_faces import PlainPictures, small_pictures
from training.teacher import teacher_embedding, teacher_state

RECIPE = RecogniserRecipe(
    data=(), recogniser="TEACHER", steps=3, batch=2, warm_up=2, copies=1, held_out=2
)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The teacher's own state dict."""
    path = tmp_path_factory.mktemp("teacher") / "teacher.pt"
    torch.save(teacher_state(), path)
    return str(path)


def plan(pictures: Pictures, out: Path, **changes: object) -> Plan:
    """A plan with the built-in recogniser as its teacher."""
    recipe = replace(RECIPE, recogniser="fr-n", **changes)  # type: ignore[arg-type]
    return prepare(recipe, pictures, out, THIS, lambda line: None)


def test_a_stopped_run_goes_on_and_is_exported_as_trained(foreign: str, tmp_path: Path) -> None:
    faces = small_pictures(tmp_path / "faces")
    kept = assert_resumes(lambda: plan(faces, tmp_path, backbone=foreign), tmp_path, until=2)
    made = plan(faces, tmp_path, backbone=foreign)
    assert made.folded
    file = tmp_path / "recogniser.safetensors"
    export(kept, made.architecture, file, {}, folded=True, half=True)
    assert file.stat().st_size < 2_500_000
    student = made.task.objective.student
    student.load_state_dict(kept)
    crops = faces.clean(range(6))
    assert cosine(open_teacher(str(file)).embed(crops), embed(student, crops)).min() > 0.999


def test_it_may_begin_with_random_weights_and_batch_statistics(tmp_path: Path) -> None:
    made = plan(small_pictures(tmp_path / "faces"), tmp_path)
    assert not made.folded
    assert made.task.objective.student.training
    kept = complete(made, tmp_path)
    assert kept["bn.num_batches_tracked"] == 3


def test_a_student_of_another_width_is_told(tmp_path: Path) -> None:
    with pytest.raises(FiqaError, match="--features 128"):
        plan(small_pictures(tmp_path / "faces"), tmp_path, features=64)


def test_it_begins_close_to_the_teacher(foreign: str, tmp_path: Path) -> None:
    pictures = small_pictures(tmp_path)
    crops = pictures.clean(range(6))
    theirs = teacher_embedding(teacher_state(), channels_first(crops) / 255).detach().numpy()
    backbone = open_backbone(foreign, 128, pictures, seed=1)
    assert cosine(embed(backbone.module.eval(), crops), theirs).min() > 0.5


def test_stability_is_the_cosine_to_the_clean_crop_and_not_negative() -> None:
    embeddings = np.random.default_rng(0).normal(size=(3, 2, 128)).astype(np.float32)
    embeddings[0] = np.eye(2, 128) * 5
    embeddings[1, 1] = -embeddings[1, 0]
    embeddings[2, 1] = embeddings[2, 0] * 3
    np.testing.assert_allclose(stability(embeddings), [[1, 0], [1, 0], [1, 1]], atol=1e-6)


class Corner(nn.Module):
    """Embeds a picture as its upper left pixel."""

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures[:, :, 0, 0]


def plain() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Two crops of pure red; the teacher sees red, and yellow in the copy of the first.

    The copies are red at the left edge and green at the right one.
    """
    crops = np.zeros((2, 2, 112, 112, 3), np.uint8)
    crops[..., 0] = 255
    crops[:, 1, :, -1] = (0, 255, 0)
    embeddings = np.zeros((2, 2, 3), np.float32)
    embeddings[..., 0] = 1
    embeddings[0, 1, 1] = 1
    return crops, embeddings


def test_the_terms_of_the_loss_are_known_for_plain_pictures() -> None:
    # As an input, red is (1, -1, -1), green (-1, 1, -1): to each other they have cosine -1/3, and
    # to the teacher's red and yellow sqrt(1/3) and 0.
    crops, embeddings = plain()
    stable = stability(embeddings)
    half = math.sqrt(0.5)
    np.testing.assert_allclose(stable, [[1, half], [1, 1]], rtol=1e-6)
    crop, column = np.array([0, 0, 1]), np.array([0, 1, 1])
    loss, terms = Imitation(Corner(), 0.2)(
        channels_first(crops[crop, column]),
        torch.from_numpy(embeddings[crop, column]),
        torch.from_numpy(stable[crop, column]),
        torch.from_numpy(column > 0),
    )
    red = 1 - math.sqrt(1 / 3)
    imitation, symmetry = (red + half * 1 + red) / (2 + half), (half + 1 / 3 + 1 + 1 / 3) / 3
    assert terms["imitation"].item() == pytest.approx(imitation, rel=1e-5)
    assert terms["symmetry"].item() == pytest.approx(symmetry, rel=1e-5)
    assert loss.item() == pytest.approx(imitation + 0.2 * symmetry, rel=1e-5)


def test_watching_tells_cosines_and_how_symmetry_ranks_stability() -> None:
    crops, embeddings = plain()
    crops[1, 1] = crops[1, 0]  # symmetric, and the more stable of the two
    embeddings[0] = ((1, 0, 0), (0, 1, 0))  # the first copy is not known any more

    def corner(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        return pictures[:, 0, 0] / np.float32(127.5) - 1

    told = watch(corner, PlainPictures(crops), embeddings, np.arange(2))
    assert told["clean"] == pytest.approx(math.sqrt(1 / 3), rel=1e-5)
    assert told["copies"] == pytest.approx(0.0, abs=1e-6)
    assert told["known"] == pytest.approx(math.sqrt(1 / 3), rel=1e-5)
    assert told["rank"] == pytest.approx(1.0)


def test_the_loss_falls_on_a_batch_that_is_repeated(foreign: str, tmp_path: Path) -> None:
    made = plan(small_pictures(tmp_path / "faces"), tmp_path, backbone=foreign, rate=1e-3)
    tensors = made.task.tensors(draw(made.task.rows, 0, 4, seed=1))
    losses = []
    for _ in range(6):
        loss, _ = made.task.objective(*tensors)
        made.task.optimiser.zero_grad()
        loss.backward()
        made.task.optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1


def test_each_picture_is_seen_as_it_is_and_copies_mirrored_too(
    foreign: str, tmp_path: Path
) -> None:
    pictures = small_pictures(tmp_path / "faces")
    made = plan(pictures, tmp_path, backbone=foreign)
    seen: list[Tensor] = []
    made.task.objective.student.register_forward_pre_hook(lambda m, x: seen.extend(x[0]))
    # Four steps of two are the whole first epoch.
    for step in range(4):
        made.task.objective(*made.task.tensors(draw(made.task.rows, step, 2, seed=1)))
    trained = np.flatnonzero(~hold_out(pictures.crops.identities, 2, seed=1))
    clean, copies = pictures.clean(trained), pictures.read(trained * 2 + 1)
    expected = normalise(channels_first(np.concatenate((clean, copies, copies[:, :, ::-1]))))
    assert sorted(bytes(x.numpy().tobytes()) for x in seen) == sorted(
        bytes(x.numpy().tobytes()) for x in expected
    )


def test_the_true_accept_rate_is_known_for_a_plane() -> None:
    angles = np.radians([0, 10, 90, 150, 0])
    embeddings = np.stack((np.cos(angles), np.sin(angles)), 1).astype(np.float32)
    identities = np.array([0, 0, 1, 1, 2])
    # Mated: 10 and 60 degrees apart. Strangers: 0, 10, and six of 80 degrees or more.
    assert true_accept_rate(embeddings, identities, false_match_rate=0.2) == 0.5
    assert true_accept_rate(embeddings, identities, false_match_rate=0.0) == 0.0
    assert true_accept_rate(embeddings, identities, false_match_rate=1.0) == 1.0
