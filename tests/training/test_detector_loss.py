"""How far a student is from its teacher."""

import numpy as np
import pytest
import torch

from fiqa_cli.networks.scrfd import Predictions
from fiqa_cli.training.detector.anchors import make_anchors
from fiqa_cli.training.detector.loss import (
    LEAST_ANSWER,
    LEAST_SPREAD,
    UNDECIDED,
    answer_loss,
    distance_iou,
    nearly_undecided,
    part_loss,
)
from fiqa_cli.training.detector.teacher import Answers

ANCHORS = make_anchors(64, 64)
COUNT = len(ANCHORS.strides)


def test_anchors_lie_where_insightface_decodes_them() -> None:
    """Its decoder multiplies the (x, y) of each cell by the stride, both anchors together."""
    anchors = make_anchors(320, 320)
    for stride in (8, 16, 32):
        rows = anchors.strides == stride
        cells = np.stack(np.mgrid[: 320 // stride, : 320 // stride][::-1], -1).reshape(-1, 2)
        assert np.array_equal(anchors.centres[rows].numpy(), np.repeat(cells * stride, 2, 0))


def test_overlap_of_shifted_boxes() -> None:
    a, b = torch.tensor([[0.0, 0.0, 10.0, 10.0]]), torch.tensor([[5.0, 0.0, 15.0, 10.0]])
    assert distance_iou(b, a).item() == pytest.approx(1 / 3 - 25 / (15**2 + 10**2))


def random_answers() -> Answers:
    generator = torch.Generator().manual_seed(3)
    scores = torch.rand(2, COUNT, generator=generator) ** 4
    distances = 1 + 3 * torch.rand(2, COUNT, 4, generator=generator)
    return Answers(scores, distances, torch.randn(2, COUNT, 10, generator=generator))


def agreeing(answers: Answers) -> Predictions:
    return Predictions(answers.scores.logit(), answers.distances, answers.landmarks)


def total(predictions: Predictions, answers: Answers) -> float:
    return float(sum(answer_loss(predictions, ANCHORS, answers)))


def test_the_loss_vanishes_where_student_and_teacher_agree_and_there_alone() -> None:
    answers = random_answers()
    same = agreeing(answers)
    assert total(same, answers) < 1e-5
    for worse in (
        same._replace(logits=same.logits - 1),
        same._replace(distances=same.distances * 1.2),
        same._replace(landmarks=same.landmarks + 0.1),
    ):
        assert total(worse, answers) > 0.01


def test_scores_pull_towards_the_teachers_from_both_sides() -> None:
    answers = random_answers()
    logits = torch.zeros(2, COUNT, requires_grad=True)
    losses = answer_loss(agreeing(answers)._replace(logits=logits), ANCHORS, answers)
    losses.score.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.equal(logits.grad.sign(), (0.5 - answers.scores).sign())


def test_background_teaches_no_box() -> None:
    answers = random_answers()
    same = agreeing(answers)
    background = (answers.scores < LEAST_ANSWER)[..., None]
    moved = same._replace(
        distances=torch.where(background, 9.0, same.distances),
        landmarks=torch.where(background, 9.0, same.landmarks),
    )
    assert total(moved, answers) < 1e-5


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


def test_what_is_undecided_weighs_more_beside_what_is_sure() -> None:
    """Two faces, a sure one and one that is not; the same error of the one or of the other."""
    scores = torch.zeros(1, COUNT)
    sure, open_ = 2 * (8 * 1 + 1), 2 * (8 * 6 + 6)
    scores[0, sure], scores[0, open_] = 0.9, 0.5
    answers = Answers(scores, torch.ones(1, COUNT, 4), torch.zeros(1, COUNT, 10))
    shifted = []
    for place in (sure, open_):
        distances = answers.distances.clone()
        distances[0, place] = 2.0
        predictions = Predictions(scores.logit(1e-6), distances, answers.landmarks)
        shifted.append(float(answer_loss(predictions, ANCHORS, answers).box))
    assert shifted[1] / shifted[0] == pytest.approx((1 + UNDECIDED) * 0.5 / 0.9, rel=1e-2)


def test_without_any_face_only_scores_are_punished() -> None:
    answers = random_answers()._replace(scores=torch.zeros(2, COUNT))
    logits = torch.zeros(2, COUNT, requires_grad=True)
    losses = answer_loss(agreeing(answers)._replace(logits=logits), ANCHORS, answers)
    assert losses.score > 0
    assert losses.box == losses.landmark == 0
    torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert (logits.grad > 0).all()


def test_parts_are_compared_in_the_teachers_variances() -> None:
    torch.manual_seed(0)
    teacher = torch.randn(4, 2, 32, 32) * torch.tensor([1.0, 10.0])[:, None, None] + 5
    mean = LEAST_SPREAD * (1 + 100) / 2
    wanted = (1 / (1 + mean) + 100 / (100 + mean)) / 2
    flat = torch.full_like(teacher, 5.0)
    assert float(part_loss(flat, teacher)) == pytest.approx(wanted, rel=0.05)
    assert part_loss(teacher, teacher) == 0
    # The first pictures alone, too.
    assert part_loss(teacher[:1], teacher) == 0
    assert part_loss(teacher[1:2], teacher) > 0.5


def test_a_channel_that_is_constant_does_not_decide_all() -> None:
    teacher = torch.randn(2, 2, 16, 16)
    teacher[:, 1] = 0
    near = teacher + 0.01
    assert part_loss(near, teacher) < 0.01
    assert part_loss(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)) == 0
