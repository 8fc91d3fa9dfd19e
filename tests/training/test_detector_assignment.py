import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa_cli.networks.scrfd import Predictions
from fiqa_cli.training.detector.assignment import IGNORED, NEGATIVE, assign, make_anchors
from fiqa_cli.training.detector.loss import Target, box_overlap, detector_loss

SIZE = 320
ANCHORS = make_anchors(SIZE, SIZE)


def square(x: float, y: float, side: float) -> torch.Tensor:
    return torch.tensor([[x - side / 2, y - side / 2, x + side / 2, y + side / 2]])


def test_anchors_lie_where_insightface_decodes_them():
    """Its decoder multiplies the (x, y) of each cell by the stride, both anchors together."""
    for stride, size in ((8, 16), (16, 64), (32, 256)):
        rows = ANCHORS.strides == stride
        cells = np.stack(np.mgrid[: SIZE // stride, : SIZE // stride][::-1], -1).reshape(-1, 2)
        assert np.array_equal(ANCHORS.centres[rows].numpy(), np.repeat(cells * stride, 2, 0))
        assert ANCHORS.sizes[rows][:2].tolist() == [size, 2 * size]


@settings(max_examples=60)
@given(st.floats(40, 280), st.floats(40, 280), st.floats(12, 300))
def test_every_face_has_anchors_near_its_centre_and_of_its_size(x, y, side):
    target = assign(ANCHORS, square(x, y, side), torch.tensor([True]))
    mine = target == 0
    assert mine.any()
    offset = (ANCHORS.centres[mine] - torch.tensor([x, y])).abs().amax(-1)
    assert (offset <= 1.5 * ANCHORS.strides[mine] + 1e-3).all()
    ratio = max(side, 16) / ANCHORS.sizes[mine]
    assert ((ratio > 0.6) & (ratio < 1.75)).all()


def test_a_doubtful_face_is_neither_demanded_nor_background():
    target = assign(ANCHORS, square(160, 160, 100), torch.tensor([False]))
    inside = ((ANCHORS.centres - 160).abs() < 50).all(-1)
    assert (target[inside] == IGNORED).all()
    assert (target[~inside] == NEGATIVE).all()


def test_of_two_faces_each_anchor_takes_the_nearer():
    boxes = torch.cat([square(100, 100, 64), square(130, 100, 64)])
    target = assign(ANCHORS, boxes, torch.tensor([True, True]))
    both = (ANCHORS.centres[:, 0] - 115).abs() < 15
    assert (ANCHORS.centres[both & (target == 0)][:, 0] <= 115).all()
    assert (ANCHORS.centres[both & (target == 1)][:, 0] >= 115).all()
    assert (target == 0).any()
    assert (target == 1).any()


def test_overlap_of_shifted_boxes():
    a = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    iou, diou = box_overlap(torch.tensor([[5.0, 0.0, 15.0, 10.0]]), a)
    assert iou.item() == pytest.approx(1 / 3)
    assert diou.item() == pytest.approx(1 / 3 - 25 / (15**2 + 10**2))


def perfect(boxes: torch.Tensor, landmarks: torch.Tensor) -> Predictions:
    face = assign(ANCHORS, boxes, torch.ones(len(boxes), dtype=torch.bool)).clamp(min=0)
    stride = ANCHORS.strides[:, None]
    distances = torch.cat(
        [ANCHORS.centres - boxes[face][:, :2], boxes[face][:, 2:] - ANCHORS.centres], 1
    )
    hit = assign(ANCHORS, boxes, torch.ones(len(boxes), dtype=torch.bool)) >= 0
    return Predictions(
        torch.where(hit, 20.0, -20.0)[None],
        (distances / stride)[None],
        ((landmarks[face] - ANCHORS.centres.repeat(1, 5)) / stride)[None],
    )


def test_loss_vanishes_for_a_perfect_prediction_only():
    boxes = torch.cat([square(60, 60, 40), square(200, 180, 150)])
    landmarks = torch.rand(2, 10) * 100
    target = [Target(boxes, landmarks, torch.tensor([True, True]))]
    good = perfect(boxes, landmarks)
    assert detector_loss(good, ANCHORS, target).total(5.0) < 1e-4
    for worse in (
        good._replace(logits=-good.logits),
        good._replace(distances=good.distances * 1.2),
        good._replace(landmarks=good.landmarks + 0.1),
    ):
        assert detector_loss(worse, ANCHORS, target).total(5.0) > 0.01


def test_a_canvas_without_faces_punishes_only_scores():
    empty = Target(torch.zeros(0, 4), torch.zeros(0, 10), torch.zeros(0, dtype=torch.bool))
    count = len(ANCHORS.sizes)
    logits = torch.zeros(1, count, requires_grad=True)
    predictions = Predictions(logits, torch.zeros(1, count, 4), torch.zeros(1, count, 10))
    losses = detector_loss(predictions, ANCHORS, [empty])
    assert losses.box == 0
    assert losses.landmark == 0
    losses.total(5.0).backward()
    assert (logits.grad > 0).all()
