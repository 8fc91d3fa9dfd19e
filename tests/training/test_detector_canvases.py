import cv2
import numpy as np
import pytest

from fiqa_cli.training.detector import canvases
from fiqa_cli.training.detector.canvases import Sources, bend, blend, compose_canvas, is_hard
from fiqa_cli.training.detector.degradation import degrade, lose_detail
from fiqa_cli.training.detector.labels import Faces
from fiqa_cli.training.detector.negatives import SAMPLES, texture


def faces(*scores: float) -> Faces:
    count = len(scores)
    boxes = np.tile(np.array([[50, 55, 110, 130]], np.float32), (count, 1))
    return Faces(boxes, np.zeros((count, 5, 2), np.float32), np.array(scores, np.float32))


@pytest.fixture
def sources() -> Sources:
    """A grey photo with a red left eye and a blue right eye (colours BGR), and black negatives."""
    photo = np.full((200, 160, 3), 128, np.uint8)
    cv2.circle(photo, (65, 80), 6, (0, 0, 255), -1)
    cv2.circle(photo, (95, 80), 6, (255, 0, 0), -1)
    return Sources([photo], [faces(0.9)], [np.zeros((50, 50, 3), np.uint8)])


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Canvases of one whole photo with nothing done to it."""
    monkeypatch.setattr(canvases, "GRIDS", (1.0, 0.0, 0.0, 0.0))
    for name in ("NEGATIVE", "ANYWHERE", "TILTED", "PASTED", "BENT", "BLENDED", "DEGRADED"):
        monkeypatch.setattr(canvases, name, 0.0)
    monkeypatch.setattr(canvases, "WHOLE", 1.0)
    # Textures have colours of their own.
    monkeypatch.setattr(canvases, "draw_negative", lambda rng, pictures: pictures[0])
    return monkeypatch


def canvas(sources: Sources, seed: int, size: int = 400) -> np.ndarray:
    return compose_canvas(sources, size, np.random.default_rng(seed))


def eyes(picture: np.ndarray) -> list[np.ndarray]:
    """Where the red eye and the blue eye are, `[2]` each, if they are seen."""
    red, blue = picture[..., 2].astype(int), picture[..., 0].astype(int)
    spots = [np.argwhere(red - blue > 100), np.argwhere(blue - red > 100)]
    return [spot.mean(0)[::-1] for spot in spots if len(spot)]


def test_a_canvas_depends_on_chance_alone(sources):
    assert np.array_equal(canvas(sources, 3), canvas(sources, 3))
    assert not np.array_equal(canvas(sources, 3), canvas(sources, 4))
    assert canvas(sources, 3).shape == (400, 400, 3)
    assert canvas(sources, 3).dtype == np.uint8


def test_a_whole_photo_is_as_large_as_the_canvas_and_mirrored_half_of_the_time(sources, plain):
    apart, left = [], 0
    for seed in range(40):
        found = eyes(canvas(sources, seed))
        if len(found) == 2:
            red, blue = found
            apart.append(abs(float(red[0] - blue[0])))
            left += red[0] < blue[0]
            assert abs(float(red[1] - blue[1])) < 1.5
    # 30 pixels apart in a photo of 200: 60 in the canvas, times 2^-0.6 to 2^0.15.
    assert len(apart) > 25
    assert min(apart) >= 60 * 2**-0.6 - 1.5
    assert max(apart) <= 60 * 2**0.15 + 1.5
    assert 0.25 < left / len(apart) < 0.75


def test_other_photos_are_scaled_by_a_face(sources, plain):
    plain.setattr(canvases, "WHOLE", 0.0)
    sides = []
    for seed in range(60):
        found = eyes(canvas(sources, seed))
        if len(found) == 2:
            sides.append(float(np.linalg.norm(found[0] - found[1])) / 30 * np.sqrt(60 * 75))
    assert 400 / 8 * 0.9 < min(sides) < 400 / 4
    assert 400 / 2.5 < max(sides) <= 400 * 1.1  # and at most four times as large as it was


def test_negatives_show_none_of_the_photos(sources, plain):
    plain.setattr(canvases, "NEGATIVE", 1.0)
    for seed in range(20):
        assert set(np.unique(canvas(sources, seed)[100:300, 100:300])) <= {0}


def test_faces_are_pasted_from_photos_and_crops(sources, plain):
    plain.setattr(canvases, "PASTED", 8.0)
    green = np.zeros((112, 112, 3), np.uint8)
    green[..., 1] = 255
    with_crops = Sources(sources.photos, sources.faces, sources.negatives, [green])

    def greenish(of: Sources) -> int:
        seen = (canvas(of, seed).astype(int) for seed in range(10))
        return sum(
            bool((c[..., 1] - c.max(-1, initial=0, where=[1, 0, 1]) > 60).any()) for c in seen
        )

    assert greenish(with_crops) > greenish(sources)


@pytest.mark.parametrize("change", ["BENT", "BLENDED", "DEGRADED", "PASTED", "TILTED"])
def test_each_change_changes_canvases(change, sources, plain):
    before = [canvas(sources, seed, 320) for seed in range(6)]
    plain.setattr(canvases, change, 1.0)
    after = [canvas(sources, seed, 320) for seed in range(6)]
    assert sum(not np.array_equal(a, b) for a, b in zip(before, after, strict=True)) >= 3


def test_bending_moves_the_eyes_apart_or_together_and_keeps_the_middle():
    picture = np.full((240, 240, 3), 128, np.uint8)
    cv2.circle(picture, (90, 120), 6, (0, 0, 255), -1)
    cv2.circle(picture, (150, 120), 6, (255, 0, 0), -1)
    apart = []
    for seed in range(20):
        bent = bend(picture, np.random.default_rng(seed))
        assert bent.shape == picture.shape
        red, blue = eyes(bent)
        np.testing.assert_allclose((red + blue) / 2, [120, 120], atol=1.5)
        apart.append(float(blue[0] - red[0]))
    assert min(apart) < 55 < 65 < max(apart)
    assert min(apart) > 60 * 2**-0.5
    assert max(apart) < 60 * 2**0.5


def test_another_canvas_shows_through_by_half_at_most():
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    levels = {int(blend(black, white, np.random.default_rng(seed)).max()) for seed in range(50)}
    assert 20 < min(levels) < 60 < 100 < max(levels) <= 128


def test_hard_photos_are_groups_and_those_of_doubt():
    assert is_hard(faces(0.9, 0.8))
    assert is_hard(faces(0.6))
    assert not is_hard(faces(0.9))
    assert not is_hard(faces(0.9, 0.4))
    assert not is_hard(faces())
    photo = np.zeros((8, 8, 3), np.uint8)
    of_three = Sources([photo] * 3, [faces(0.9), faces(0.6), faces()], [])
    assert of_three.hard.tolist() == [1]
    assert of_three.shown.tolist() == [0, 1]


def test_degradation_keeps_shape_and_type():
    image = texture(np.random.default_rng(0))
    changed = 0
    for seed in range(30):
        degraded = degrade(image, np.random.default_rng(seed), 3.0)
        assert degraded.shape == image.shape
        assert degraded.dtype == np.uint8
        changed += not np.array_equal(degraded, image)
    assert changed > 20


def test_detail_is_lost_within_the_bound():
    """Of stripes four pixels wide a loss of resolution by 1.2 leaves more than one by 8 may."""
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, (np.arange(64) // 4) % 2 == 1] = 255
    left = {
        strongest: [
            float(lose_detail(stripes, np.random.default_rng(seed), strongest)[20:44, 20:44].std())
            for seed in range(20)
        ]
        for strongest in (1.2, 8.0)
    }
    assert min(left[1.2]) > 90
    assert min(left[8.0]) < 60


def test_test_pictures_are_not_negatives():
    assert not {"astronaut.png", "chelsea.png"} & set(SAMPLES)
