import numpy as np
import pytest

from fiqa_cli.training.detector.evaluate import agreement, landmark_errors, match_boxes
from fiqa_cli.training.detector.labels import Faces


def faces(*rows: tuple[float, float, float, float, float]) -> Faces:
    table = np.array(rows, np.float32).reshape(-1, 5)
    landmarks = np.zeros((len(table), 5, 2), np.float32)
    landmarks[:, 0] = table[:, :2]
    landmarks[:, 1] = table[:, :2] + [10, 0]
    return Faces(table[:, :4], landmarks, table[:, 4])


def test_boxes_pair_one_to_one_highest_overlap_first():
    teacher = faces((0, 0, 10, 10, 0.9), (20, 0, 30, 10, 0.9))
    student = faces((0, 0, 10, 8, 0.9), (0, 0, 10, 10, 0.6), (20, 4, 30, 14, 0.9))
    assert match_boxes(teacher, student) == [(0, 1)]


def test_landmark_errors_are_in_inter_eye_distances():
    wanted = faces((0, 0, 20, 20, 1)).landmarks
    moved = wanted + np.array([3, 4], np.float32)
    assert landmark_errors(wanted, moved)[0] == pytest.approx([0.5] * 5)


def test_agreement_counts():
    teacher = [
        faces((0, 0, 10, 10, 0.9), (20, 20, 40, 40, 0.8)),
        faces((50, 50, 70, 70, 0.4)),
        faces((-2, 0, 10, 10, 0.7)),
    ]
    student = [
        faces((0, 0, 10, 9, 0.9), (80, 80, 90, 90, 0.55)),
        faces((50, 50, 70, 70, 0.8)),
        faces((0, 0, 10, 10, 0.45)),
    ]
    found = agreement(teacher, student, [(100, 100)] * 3, threshold=0.5)
    assert found.photos == 3
    assert found.teacher_faces == 3
    assert found.recall == pytest.approx(1 / 3)
    assert found.recall_inside == pytest.approx(1 / 2)
    assert found.false_per_photo == pytest.approx(2 / 3)
    assert found.false_per_photo_weak == pytest.approx(1 / 3)
    assert found.landmark_error_median == 0
    lower = agreement(teacher, student, [(100, 100)] * 3, threshold=0.4)
    assert lower.recall == pytest.approx(2 / 3)
