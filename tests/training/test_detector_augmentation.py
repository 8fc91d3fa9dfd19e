from dataclasses import replace

import cv2
import numpy as np
import pytest

from fiqa_cli.training.detector.augmentation import (
    CLOSE,
    MATCHED,
    MINED,
    VARIED,
    Sources,
    bend,
    blend,
    compose_canvas,
    cut_faces,
    warp_faces,
)
from fiqa_cli.training.detector.batches import CanvasBatches
from fiqa_cli.training.detector.degradation import degrade
from fiqa_cli.training.detector.labels import Faces
from fiqa_cli.training.detector.negatives import SAMPLES, texture


def portrait() -> tuple[np.ndarray, Faces]:
    """A grey photo with a red left eye and a blue right eye (colours BGR)."""
    photo = np.full((200, 160, 3), 128, np.uint8)
    cv2.circle(photo, (65, 80), 6, (0, 0, 255), -1)
    cv2.circle(photo, (95, 80), 6, (255, 0, 0), -1)
    points = [[65, 80], [95, 80], [80, 100], [68, 115], [92, 115]]
    return photo, Faces(
        np.array([[50, 55, 110, 130]], np.float32),
        np.array([points], np.float32),
        np.array([0.9], np.float32),
    )


@pytest.fixture
def sources() -> Sources:
    photo, faces = portrait()
    return Sources([photo], [faces], [np.zeros((50, 50, 3), np.uint8)], np.array([0]))


def test_a_batch_depends_on_seed_and_step_only(sources):
    batch = CanvasBatches(sources, seed=3, styles=(VARIED, CLOSE), closing=9)[5]
    again = CanvasBatches(sources, seed=3, styles=(VARIED, CLOSE), closing=9)[5]
    other = CanvasBatches(sources, seed=4, styles=(VARIED, CLOSE), closing=9)[5]
    assert np.array_equal(batch.images, again.images)
    for first, second in zip(batch.targets, again.targets, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert batch.images.shape != other.images.shape or (batch.images != other.images).any()


def test_landmarks_stay_on_the_eyes(sources):
    """The pixel under each visible eye has the colour of that eye or, in the mirror image, of
    the other."""
    checked = 0
    for seed in range(40):
        canvas, faces = compose_canvas(sources, 320, VARIED, np.random.default_rng(seed))
        for box, landmarks, score in zip(faces.boxes, faces.landmarks, faces.scores, strict=True):
            if score < 0.5 or (box[2:] - box[:2]).min() < 40:
                continue
            eyes = landmarks[:2].round().astype(int)
            if (eyes < 0).any() or (eyes >= 320).any():
                continue
            colours = {int(canvas[y, x].argmax()) for x, y in eyes}
            assert colours == {0, 2}
            checked += 1
    assert checked > 10


def test_a_photo_shown_whole_is_scaled_to_the_canvas(sources):
    """Its face is as large as the photo makes it, not as a canvas would like it."""
    style = replace(MINED, grids=(1, 0, 0, 0), tilted=0.0, whole=1.0)
    sides = []
    for seed in range(40):
        _, faces = compose_canvas(sources, 400, style, np.random.default_rng(seed))
        sides += np.sqrt((faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(1)).tolist()
    # The photo is 200 pixels high, its face 67 on average: at 400 pixels, times 2^-0.6 to 2^0.15.
    assert len(sides) > 25
    assert min(sides) >= 134 * 2**-0.6
    assert max(sides) <= 134.5 * 2**0.15


def test_bent_faces_are_where_their_labels_say():
    photo, faces = portrait()
    canvas = np.full((240, 240, 3), 128, np.uint8)
    canvas[:200, :160] = photo
    shapes = set()
    for seed in range(20):
        bent, moved = bend(canvas, faces, np.random.default_rng(seed))
        assert bent.shape == canvas.shape
        left, right = moved.landmarks[0, :2].round().astype(int)
        assert bent[left[1], left[0]].tolist() == [0, 0, 255]
        assert bent[right[1], right[0]].tolist() == [255, 0, 0]
        box = moved.boxes[0]
        centre = moved.landmarks[0].mean(0)
        assert (box[:2] < centre).all()
        assert (centre < box[2:]).all()
        shapes.add(float((box[2:] - box[:2]).prod().round()))
    assert len(shapes) == 20


def test_another_canvas_shows_through_by_half_at_most():
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    levels = {int(blend(black, white, np.random.default_rng(seed)).max()) for seed in range(50)}
    assert 20 < min(levels) < 60 < 100 < max(levels) <= 128


def test_a_matched_canvas_is_bent_blended_and_degraded_before_the_teacher_looks(sources):
    plain = replace(MATCHED, bent=0.0, blended=0.0, spoiled=0.0, pasted=0.0)
    for change in ("bent", "blended", "spoiled"):
        style = replace(plain, **{change: 1.0})
        pairs = [
            [
                compose_canvas(sources, 320, each, np.random.default_rng(seed))[0]
                for each in (plain, style)
            ]
            for seed in range(6)
        ]
        assert sum(bool((one != other).any()) for one, other in pairs) >= 4, change


def test_canvas_faces_are_mostly_inside(sources):
    for seed in range(20):
        canvas, faces = compose_canvas(sources, 256, VARIED, np.random.default_rng(seed))
        assert canvas.shape == (256, 256, 3)
        assert canvas.dtype == np.uint8
        assert (faces.boxes[:, :2] <= faces.boxes[:, 2:]).all()
        centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
        sure = centres[faces.scores >= 0.5]
        assert ((sure > -30) & (sure < 286)).all()


def test_a_quarter_turn_swaps_the_sides_of_a_box():
    _, faces = portrait()
    turned = warp_faces(faces, np.array([[0, -1, 300], [1, 0, 0]], np.float32), np.pi / 2)
    assert np.allclose(turned.boxes, [[300 - 130, 50, 300 - 55, 110]], atol=1e-3)
    assert np.allclose(turned.landmarks[0, 0], [300 - 80, 65])


def test_faces_cut_by_the_cell_become_doubtful_or_vanish_and_keep_their_extent():
    _, faces = portrait()  # from x = 50 to 110
    for left, score in ((0, 0.9), (80, 0.9), (90, 0.3)):
        cut = cut_faces(faces, left, 0, 160 - left, 200)
        assert cut.scores.tolist() == pytest.approx([score])
        assert cut.boxes.tolist() == faces.boxes.tolist()
    assert len(cut_faces(faces, 105, 0, 55, 200)) == 0


def test_degradation_reports_the_loss_of_detail_within_the_bound():
    image = texture(np.random.default_rng(0))
    factors = []
    for seed in range(30):
        degraded, factor = degrade(image, np.random.default_rng(seed), 3.0)
        assert degraded.shape == image.shape
        assert degraded.dtype == np.uint8
        factors.append(factor)
    assert min(factors) == 1
    assert 1 < max(factors) <= 3


def test_test_pictures_are_not_negatives():
    assert not {"astronaut.png", "chelsea.png"} & set(SAMPLES)
