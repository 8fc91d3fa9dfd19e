"""Faces aligned by landmarks that move a little."""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fiqa_cli.faces.alignment import TEMPLATE, align, similarity
from fiqa_cli.pipeline import jitter as jitter_module
from fiqa_cli.pipeline.jitter import DEVIATION, JITTER_COLUMNS, Jitter, jitter_columns
from fiqa_cli.pipeline.scorer import ScoreOptions, Scorer
from fiqa_cli.records.row import Row
from fiqa_cli.sources.listing import Entry
from pipeline.fakes import Brightness

LANDMARKS = 2 * TEMPLATE + 30


def photo(seed: int = 0) -> NDArray[np.uint8]:
    small = np.random.default_rng(seed).integers(0, 256, (30, 30, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (300, 300), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_landmarks_move_by_the_stated_share() -> None:
    seen = []

    def recorded(landmarks: NDArray[np.floating]) -> NDArray[np.uint8]:
        seen.append(landmarks)
        return np.zeros((112, 112, 3), np.uint8)

    Jitter(1000).of_photo(recorded, LANDMARKS, align(photo(), LANDMARKS))
    between_eyes = np.linalg.norm(LANDMARKS[0] - LANDMARKS[1])
    moves = (np.array(seen) - LANDMARKS) / between_eyes
    assert moves.std((0, 1)) == pytest.approx([DEVIATION] * 2, rel=0.05)
    assert np.abs(moves.mean(0)).max() < 4 * DEVIATION / np.sqrt(1000)
    together = np.corrcoef(moves.reshape(1000, 10).T) - np.eye(10)
    assert np.abs(together).max() < 0.15  # each coordinate for itself


def test_copies_depend_on_the_crop_and_the_seed_alone() -> None:
    image = photo()
    aligned = partial(align, image)
    crop = aligned(LANDMARKS)
    copies = Jitter(4).of_photo(aligned, LANDMARKS, crop)
    assert copies.shape == (4, 112, 112, 3)
    assert not any(np.array_equal(copy, crop) for copy in copies)
    np.testing.assert_array_equal(Jitter(2).of_photo(aligned, LANDMARKS, crop), copies[:2])
    other = Jitter(4, seed=1).of_photo(aligned, LANDMARKS, crop)
    assert not any(np.array_equal(*pair) for pair in zip(copies, other, strict=True))


def test_a_crop_moves_as_its_photo_does() -> None:
    """A photo whose faces lie as in a crop, and the crop that is cut out of it."""
    image = photo()
    crop = image[90:202, 90:202]
    of_crop = Jitter(3).of_crop(crop)
    of_photo = Jitter(3).of_photo(partial(align, image), TEMPLATE + 90, crop)
    inside = (slice(None), slice(20, -20), slice(20, -20))
    difference = of_crop[inside].astype(int) - of_photo[inside]
    assert np.abs(difference).max() <= 1


def test_no_corner_reaches_beyond_the_padding() -> None:
    corners = np.array([[0, 0, 1], [111, 0, 1], [0, 111, 1], [111, 111, 1]])
    for move in np.random.default_rng(0).normal(0, 35.2 * DEVIATION, (2000, 5, 2)):
        reached = corners @ cv2.invertAffineTransform(similarity(TEMPLATE + move)).T
        assert reached.min() > -jitter_module._MARGIN
        assert reached.max() < 111 + jitter_module._MARGIN


def test_mean_and_deviation_are_those_of_the_copies() -> None:
    rng = np.random.default_rng(0)
    jittered = rng.integers(0, 256, (3, 5, 112, 112, 3)).astype(np.uint8)
    method = Brightness()
    columns = jitter_columns(method, jittered)
    assert tuple(columns) == JITTER_COLUMNS
    qualities = jittered.mean((2, 3, 4)) / 255
    mean, deviation = (columns[name].numpy() for name in JITTER_COLUMNS)
    np.testing.assert_allclose(mean, qualities.mean(1), rtol=1e-5)
    np.testing.assert_allclose(deviation, qualities.std(1, ddof=1), rtol=1e-2)
    assert method.batches == [3] * 5


def scored(paths: list[Path], batch_size: int, workers: int) -> dict[str, Row]:
    scorer = Scorer(
        ScoreOptions(
            model="sharpness", aligned=True, jitter=3, batch_size=batch_size, workers=workers
        )
    )
    assert scorer.columns[-2:] == JITTER_COLUMNS
    rows = list(scorer.score(Entry(str(path)) for path in paths))
    assert scorer.manifest().options["jitter"] == 3
    return {row.path: row for row in rows}


def test_neither_order_nor_batch_nor_workers_matter(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(7)]
    for number, path in enumerate(paths):
        Image.fromarray(photo(number)[:112, :112]).save(path)
    rows = scored(paths, batch_size=3, workers=1)
    assert scored(paths[::-1], batch_size=7, workers=4) == rows
    for row in rows.values():
        assert tuple(row.details) == JITTER_COLUMNS
        assert row.details["quality_jitter_std"] > 0
        # Aligned a second time, a crop is a little less sharp.
        assert row.details["quality_jitter_mean"] == pytest.approx(row.quality, rel=0.3)
