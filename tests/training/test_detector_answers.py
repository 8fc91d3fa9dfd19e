"""The teacher's answers at every anchor, and learning from them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fiqa_cli.networks.scrfd import Predictions
from fiqa_cli.training.detector.answers import (
    LEAST_ANSWER,
    Answers,
    TeacherHead,
    answer_loss,
    nearly_undecided,
    readable,
)
from fiqa_cli.training.detector.assignment import make_anchors
from fiqa_cli.training.detector.augmentation import CLOSE, NEAR, Sources
from fiqa_cli.training.detector.batches import CanvasBatches, in_turn, to_tensor
from fiqa_cli.training.detector.labels import Faces
from fiqa_cli.training.detector.phases import Phase
from fiqa_cli.training.detector.teacher import Teacher
from fiqa_cli.training.detector.teacher_memory import TeacherMemory
from fiqa_cli.training.detector.train import Run
from training.random_scrfd import pictures, write_scrfd

ANCHORS = make_anchors(64, 64)
COUNT = len(ANCHORS.sizes)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "scrfd.onnx"
    write_scrfd(path)
    return path


def test_the_answers_are_the_networks_own(file: Path, tmp_path: Path) -> None:
    images = pictures(3)
    judged = Teacher(file)(images)
    answers = TeacherHead(file)([torch.from_numpy(level).half() for level in judged.features])
    with torch.no_grad():
        outputs = write_scrfd(tmp_path / "same.onnx")((images.float() - 127.5) / 128)
    scores, distances, landmarks = (torch.cat(outputs[k : k + 3], 1) for k in (0, 3, 6))
    torch.testing.assert_close(answers.scores, scores[..., 0], atol=5e-3, rtol=0)
    torch.testing.assert_close(answers.distances, distances, atol=5e-3, rtol=0)
    torch.testing.assert_close(answers.landmarks, landmarks, atol=5e-3, rtol=0)


def random_answers() -> Answers:
    generator = torch.Generator().manual_seed(3)
    scores = torch.rand(2, COUNT, generator=generator) ** 4
    distances = 1 + 3 * torch.rand(2, COUNT, 4, generator=generator)
    return Answers(scores, distances, torch.randn(2, COUNT, 10, generator=generator))


def agreeing(answers: Answers) -> Predictions:
    return Predictions(answers.scores.logit(), answers.distances, answers.landmarks)


def everywhere() -> Tensor:
    return torch.ones(2, COUNT, dtype=torch.bool)


def test_the_loss_vanishes_where_student_and_teacher_agree_and_there_alone() -> None:
    answers = random_answers()
    same = agreeing(answers)
    assert answer_loss(same, ANCHORS, answers, everywhere()).total(30.0) < 1e-5
    for worse in (
        same._replace(logits=same.logits - 1),
        same._replace(distances=same.distances * 1.2),
        same._replace(landmarks=same.landmarks + 0.1),
    ):
        assert answer_loss(worse, ANCHORS, answers, everywhere()).total(30.0) > 0.01


def test_scores_pull_towards_the_teachers_from_both_sides() -> None:
    answers = random_answers()
    logits = torch.zeros(2, COUNT, requires_grad=True)
    losses = answer_loss(agreeing(answers)._replace(logits=logits), ANCHORS, answers, everywhere())
    losses.score.backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad.sign(), (0.5 - answers.scores).sign())


def test_background_teaches_no_box_and_what_does_not_count_nothing() -> None:
    answers = random_answers()
    same = agreeing(answers)
    moved = same._replace(
        distances=torch.where((answers.scores < LEAST_ANSWER)[..., None], 9.0, same.distances),
        landmarks=torch.where((answers.scores < LEAST_ANSWER)[..., None], 9.0, same.landmarks),
    )
    assert answer_loss(moved, ANCHORS, answers, everywhere()).total(30.0) < 1e-5
    counted = everywhere()
    counted[0] = False
    wrong = Predictions(*(torch.cat([value[:1] + 1, value[1:]]) for value in same))
    assert answer_loss(wrong, ANCHORS, answers, counted).total(30.0) < 1e-5
    assert answer_loss(wrong, ANCHORS, answers, everywhere()).total(30.0) > 0.01


def test_an_anchor_is_as_undecided_as_the_best_score_about_it() -> None:
    scores = torch.zeros(1, COUNT)
    on_first = ANCHORS.strides == 8
    level = scores[:, on_first].unflatten(1, (8, 8, 2))
    level[0, 1, 1, 0], level[0, 1, 2, 1] = 0.5, 0.3  # a face that is as good as not
    level[0, 6, 6, 1], level[0, 5, 6, 0] = 0.9, 0.5  # a sure one
    scores[:, on_first] = level.flatten(1)
    near = nearly_undecided(scores, ANCHORS)[0]
    first = near[on_first].unflatten(0, (8, 8, 2))
    assert (first[:4, :4] == 1).all()
    assert (first[4:, 4:] < 1e-3).all()
    assert (near[~on_first] < 1e-4).all()


def test_what_is_nearly_undecided_weighs_more() -> None:
    answers = random_answers()
    worse = agreeing(answers)._replace(logits=answers.scores.logit() - 1)
    equally, more = (
        answer_loss(worse, ANCHORS, answers, everywhere(), undecided).score
        for undecided in (0.0, 3.0)
    )
    assert equally < more


def test_without_any_face_only_scores_are_punished() -> None:
    answers = random_answers()._replace(scores=torch.zeros(2, COUNT))
    logits = torch.zeros(2, COUNT, requires_grad=True)
    losses = answer_loss(agreeing(answers)._replace(logits=logits), ANCHORS, answers, everywhere())
    assert losses.score > 0
    assert losses.box == losses.landmark == 0
    losses.total(30.0).backward()  # type: ignore[no-untyped-call]


def test_an_answer_holds_while_its_face_keeps_eight_pixels() -> None:
    # At stride 8: sides of 24 pixels in the first canvas' anchors and of 12 in the second's.
    distances = torch.stack([torch.full((COUNT, 4), 1.5), torch.full((COUNT, 4), 0.75)])
    answers = random_answers()._replace(distances=distances)
    fine = ANCHORS.strides == 8
    assert readable(answers, ANCHORS, [1.0, 1.0], 8.0).all()
    assert readable(answers, ANCHORS, [2.9, 1.4], 8.0).all()
    held = readable(answers, ANCHORS, [3.1, 1.6], 8.0)
    assert not held[:, fine].any()
    assert held[:, ~fine].all()


def test_memories_take_turns_and_are_learnt_from(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fiqa_cli.training.detector.batches.SHAPES", ((64, 8), (96, 16), (64, 16)))
    photo = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    faces = Faces(
        np.array([[20, 20, 60, 60]], np.float32),
        np.full((1, 5, 2), 40, np.float32),
        np.array([0.9], np.float32),
    )
    sources = Sources([photo], [faces], [photo // 2], np.array([0]))
    styles = (replace(CLOSE, clean=1.0), replace(NEAR, clean=1.0))
    teacher = Teacher(file)
    memories = []
    for number, style in enumerate(styles):
        memory = TeacherMemory(tmp_path / str(number))
        memory.folder.mkdir()
        kind = CanvasBatches(sources, 1, (style, style), 0)
        for index in range(2):
            memory.store(index, teacher(to_tensor([canvas for canvas, _ in kind.compose(index)])))
        memories.append(TeacherMemory(memory.folder))
    batches = in_turn(sources, 1, styles, memories, TeacherHead(file))

    # Step 2k is of the first memory, step 2k + 1 of the second; each batch once in a round.
    for step in range(4):
        memory = memories[step % 2]
        wanted, _ = memory.load(memory.index(step // 2, 1))
        found = batches[step].features
        assert found is not None
        assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))

    # The canvas is the one that was answered: the teacher says the same of it now.
    batch = batches[0]
    again = TeacherHead(file)([torch.from_numpy(x) for x in teacher(batch.images).features])
    assert batch.answers is not None
    torch.testing.assert_close(batch.answers.scores, again.scores, atol=5e-3, rtol=0)

    run = Run(
        Phase(steps=40, warmup=1, imitation=2.0, answers=(6, 4), depth=2, width=1),
        teacher_channels=6,
    )
    losses = [float(run.step(batch)[0]) for _ in range(12)]
    assert losses[-1] < 0.9 * losses[0]
