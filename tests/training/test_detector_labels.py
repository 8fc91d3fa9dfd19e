import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.detector.labels import (
    Faces,
    load_labels,
    merge_views,
    mirror,
    pairwise_iou,
    save_labels,
)
from fiqa_cli.training.detector.photos import photo_names, split_photos

box = st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 40)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


def faces(*rows: tuple[float, ...], scores: tuple[float, ...]) -> Faces:
    boxes = np.array(rows, np.float32).reshape(-1, 4)
    centres = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
    pattern = np.array([[-2, -2], [2, -2], [0, 0], [-1, 2], [1, 2]], np.float32)
    return Faces(boxes, (centres + pattern).astype(np.float32), np.array(scores, np.float32))


@given(box, box)
def test_iou_counts_pixels(a, b):
    grid = np.zeros((2, 80, 80), bool)
    for layer, (x1, y1, x2, y2) in zip(grid, (a, b), strict=True):
        layer[y1:y2, x1:x2] = True
    expected = (grid[0] & grid[1]).sum() / (grid[0] | grid[1]).sum()
    found = pairwise_iou(np.array([a], np.float32), np.array([b], np.float32))
    assert found[0, 0] == pytest.approx(expected, abs=1e-6)


def test_mirror_keeps_the_left_eye_left_and_is_its_own_inverse():
    one = faces((10, 5, 30, 35), scores=(0.9,))
    flipped = mirror(one, 100)
    assert flipped.boxes.tolist() == [[70, 5, 90, 35]]
    assert flipped.landmarks[0, 0, 0] < flipped.landmarks[0, 1, 0]
    again = mirror(flipped, 100)
    assert np.allclose(again.boxes, one.boxes)
    assert np.allclose(again.landmarks, one.landmarks)


def test_views_that_agree_are_averaged_and_others_halved():
    first = faces((0, 0, 20, 20), (50, 50, 70, 70), scores=(0.8, 0.6))
    second = faces((2, 0, 22, 20), (80, 0, 90, 10), scores=(0.6, 0.4))
    merged = merge_views(first, second)
    assert merged.boxes.tolist() == [[1, 0, 21, 20], [50, 50, 70, 70], [80, 0, 90, 10]]
    assert merged.scores.tolist() == pytest.approx([0.7, 0.3, 0.2])
    assert len(merge_views(first.select(np.zeros(2, bool)), second)) == 2


def test_labels_survive_the_file(tmp_path):
    labels = {
        "a.jpg": faces(scores=()),
        "b.jpg": faces((1, 2, 3, 4), (5, 6, 7, 8), scores=(0.5, 0.25)),
        "c.jpg": faces((9, 9, 10, 10), scores=(1.0,)),
    }
    save_labels(tmp_path / "labels.npz", labels)
    loaded = load_labels(tmp_path / "labels.npz")
    assert list(loaded) == list(labels)
    for name, wanted in labels.items():
        assert np.array_equal(loaded[name].boxes, wanted.boxes)
        assert np.array_equal(loaded[name].landmarks, wanted.landmarks)
        assert np.array_equal(loaded[name].scores, wanted.scores)


def test_split_is_disjoint_complete_and_follows_the_digest():
    names = [f"{i}.jpg" for i in range(50)]
    split = split_photos(reversed(names), seed=7, held_out=10, monitoring=5)
    assert [len(part) for part in split] == [35, 5, 10]
    assert sorted(itertools.chain(*split)) == sorted(names)
    ranked = sorted(names, key=lambda n: hashlib.sha256(f"7:{n}".encode()).hexdigest())
    assert split.held_out == sorted(ranked[:10])


def test_a_folder_without_photos_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(FiqaError, match="name a folder of photos"):
        photo_names(tmp_path)
