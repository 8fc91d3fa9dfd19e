"""Pasted faces: where and how large they may be, and that chance alone decides."""

import numpy as np

from fiqa_cli.training.detector.pasting import paste_face

BOX = np.array([60, 50, 140, 150], np.float32)


def bright_face() -> np.ndarray:
    photo = np.zeros((200, 200, 3), np.uint8)
    photo[50:150, 60:140] = 255
    return photo


def pasted(seed: int, extent: int = 320) -> np.ndarray:
    canvas = np.zeros((extent, extent, 3), np.uint8)
    paste_face(canvas, bright_face(), BOX, np.random.default_rng(seed))
    return canvas


def test_a_face_changes_one_place_of_at_most_its_size() -> None:
    sizes = []
    for seed in range(60):
        rows, columns = np.nonzero(pasted(seed).max(2) > 100)
        if len(rows):
            sizes.append(max(np.ptp(rows), np.ptp(columns)) + 1)
    assert len(sizes) > 40  # the others are dark, or beyond the edge
    assert min(sizes) < 20
    assert 40 < max(sizes) <= 1.5 * 320 / 4


def test_the_same_chance_pastes_the_same() -> None:
    assert np.array_equal(pasted(3), pasted(3))
    assert not np.array_equal(pasted(3), pasted(4))


def test_faces_are_hidden_and_cut_but_stay_inside_the_canvas() -> None:
    shares = [(pasted(seed).max(2) > 100).mean() for seed in range(60)]
    whole = [share for share in shares if share > 0.02]
    part = [share for share in shares if 0 < share < 0.001]
    assert whole
    assert part
