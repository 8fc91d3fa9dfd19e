import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.training.bank import Bank
from fiqa_cli.training.batches import batch_rows, to_input
from fiqa_cli.training.crops import hold_out
from fiqa_cli.training.embeddings import cosine
from fiqa_cli.training.export import export, load_exported
from fiqa_cli.training.folding import fold
from fiqa_cli.training.recogniser import (
    RecogniserSchedule,
    embed,
    stability,
    start,
    terms,
    train,
    watch,
)
from fiqa_cli.training.recogniser_validation import true_accept_rate
from training.small_bank import IDENTITIES, small_bank
from training.teacher import teacher_embedding, teacher_state

SCHEDULE = RecogniserSchedule(steps=3, batch=2, warm_up=2)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "teacher.pt"
    torch.save(teacher_state(), path)
    return path


@pytest.fixture(autouse=True)
def held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fiqa_cli.training.recogniser.HELD_OUT_IDENTITIES", 2)


class Interruption(Exception):
    """Stands for a kill between two steps."""


def average(run: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(run / "checkpoint.pt", weights_only=True)["average"]
    return state


def test_a_stopped_run_goes_on_and_is_exported_as_trained(
    teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = small_bank()
    train(bank, teacher, tmp_path / "whole", SCHEDULE, every=1)

    def stop(rows: NDArray[np.int64], step: int, batch: int, seed: int) -> NDArray[np.int64]:
        if step == 2:
            raise Interruption
        return batch_rows(rows, step, batch, seed)

    with monkeypatch.context() as patch:
        patch.setattr("fiqa_cli.training.recogniser.batch_rows", stop)
        with pytest.raises(Interruption):
            train(bank, teacher, tmp_path / "cut", SCHEDULE, every=1)
    train(bank, teacher, tmp_path / "cut", SCHEDULE, every=1)
    whole, cut = average(tmp_path / "whole"), average(tmp_path / "cut")
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[name], cut[name]) for name in whole)

    exported = tmp_path / "fr-n.safetensors"
    export(tmp_path / "whole" / "checkpoint.pt", exported)
    assert exported.stat().st_size < 2_500_000
    folded = MobileFaceNet(128).eval()
    fold(folded)
    folded.load_state_dict(whole)
    inputs = to_input(bank.crops[:, 0])
    with torch.inference_mode():
        embedding = load_exported(exported)(inputs)
        assert embedding.shape == (IDENTITIES, 128)
        assert F.cosine_similarity(embedding, folded(inputs)).min() > 0.999


def test_it_begins_close_to_the_teacher(teacher: Path) -> None:
    bank = small_bank()
    rgb = torch.from_numpy(bank.crops[:, 0]).permute(0, 3, 1, 2) / 255
    theirs = teacher_embedding(teacher_state(), rgb).detach().numpy()
    ours = embed(start(bank, teacher, seed=1), bank.crops[:, 0])
    assert cosine(ours, theirs).min() > 0.5


def test_stability_is_the_cosine_to_the_clean_crop_and_not_negative() -> None:
    bank = small_bank()
    bank.embeddings[0] = np.eye(2, 128) * 5
    bank.embeddings[1, 1] = -bank.embeddings[1, 0]
    bank.embeddings[2, 1] = bank.embeddings[2, 0] * 3
    np.testing.assert_allclose(stability(bank)[:3], [[1, 0], [1, 0], [1, 1]], atol=1e-6)


class Corner(nn.Module):
    """Embeds a picture as its upper left pixel."""

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures[:, :, 0, 0]


def plain_bank() -> Bank:
    """Two crops of pure red; the teacher sees red, and yellow in the copy of the first.

    The copies are red at the left edge and green at the right one.
    """
    crops = np.zeros((2, 2, 112, 112, 3), np.uint8)
    crops[..., 0] = 255
    crops[:, 1, :, -1] = (0, 255, 0)
    embeddings = np.zeros((2, 2, 3), np.float32)
    embeddings[..., 0] = 1
    embeddings[0, 1, 1] = 1
    return replace(small_bank(), crops=crops, embeddings=embeddings, identities=np.arange(2))


def test_the_terms_of_the_loss_are_known_for_plain_pictures() -> None:
    # As an input, red is (1, -1, -1), green (-1, 1, -1): to each other they have cosine -1/3, and
    # to the teacher's red and yellow sqrt(1/3) and 0.
    bank = plain_bank()
    stable = stability(bank)
    half = math.sqrt(0.5)
    np.testing.assert_allclose(stable, [[1, half], [1, 1]], rtol=1e-6)
    imitation, symmetry = terms(Corner(), bank, stable, np.array([0, 0, 1]), np.array([0, 1, 1]))
    red = 1 - math.sqrt(1 / 3)
    assert imitation.item() == pytest.approx((red + half * 1 + red) / (2 + half), rel=1e-5)
    assert symmetry.item() == pytest.approx((half + 1 / 3 + 1 + 1 / 3) / 3, rel=1e-5)


def test_watching_tells_cosines_and_how_symmetry_ranks_stability() -> None:
    bank = plain_bank()
    bank.crops[1, 1] = bank.crops[1, 0]  # symmetric, and the more stable of the two
    bank.embeddings[0] = ((1, 0, 0), (0, 1, 0))  # the first copy is not known any more
    told = watch(Corner(), bank, np.arange(2))
    assert told["clean"] == pytest.approx(math.sqrt(1 / 3), rel=1e-5)
    assert told["copies"] == pytest.approx(0.0, abs=1e-6)
    assert told["known"] == pytest.approx(math.sqrt(1 / 3), rel=1e-5)
    assert told["rank"] == pytest.approx(1.0)


def test_the_loss_falls_on_a_batch_that_is_repeated(teacher: Path) -> None:
    bank, rows = small_bank(), np.arange(4)
    student, stable = start(bank, teacher, seed=1), stability(bank)
    optimiser = torch.optim.AdamW(student.parameters(), 1e-3)
    losses = []
    for _ in range(6):
        loss = sum(terms(student, bank, stable, rows, rows % 2))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1


def test_each_picture_is_seen_as_it_is_and_copies_mirrored_too(
    teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = small_bank()
    seen: list[bytes] = []

    def record(crops: NDArray[np.uint8]) -> Tensor:
        if not torch.is_inference_mode_enabled():
            seen.extend(crop.tobytes() for crop in crops)
        return to_input(crops)

    monkeypatch.setattr("fiqa_cli.training.recogniser.to_input", record)
    train(bank, teacher, tmp_path, RecogniserSchedule(steps=4, batch=2), every=4)
    trained = bank.crops[~hold_out(bank.identities, 2, seed=1)]
    # Four steps of two are the whole first epoch.
    expected = [*trained[:, 0], *trained[:, 1], *trained[:, 1, :, ::-1]]
    assert sorted(seen) == sorted(picture.tobytes() for picture in expected)


def test_the_true_accept_rate_is_known_for_a_plane() -> None:
    angles = np.radians([0, 10, 90, 150, 0])
    embeddings = np.stack((np.cos(angles), np.sin(angles)), 1).astype(np.float32)
    identities = np.array([0, 0, 1, 1, 2])
    # Mated: 10 and 60 degrees apart. Strangers: 0, 10, and six of 80 degrees or more.
    assert true_accept_rate(embeddings, identities, false_match_rate=0.2) == 0.5
    assert true_accept_rate(embeddings, identities, false_match_rate=0.0) == 0.0
    assert true_accept_rate(embeddings, identities, false_match_rate=1.0) == 1.0
