from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from fiqa_cli.training.degradations import degrade
from training.small_faces import small_pictures


def test_pictures_are_crops_and_their_copies_by_number(tmp_path: Path) -> None:
    pictures = small_pictures(tmp_path, identities=3, copies=2)
    assert len(pictures) == 9
    clean = pictures.clean([0, 1, 2])
    np.testing.assert_array_equal(pictures.read([0, 3, 6]), clean)
    kinds = pictures.kinds()
    assert kinds[:, 0].tolist() == ["clean"] * 3
    for crop in range(3):
        for column in (1, 2):
            copy, kind, _ = degrade(clean[crop], 1, crop * 2 + column - 1)
            np.testing.assert_array_equal(pictures.read([crop * 3 + column])[0], copy)
            assert kinds[crop, column] == kind


def test_threads_change_nothing(tmp_path: Path) -> None:
    pictures = small_pictures(tmp_path, copies=2)
    numbers = np.random.default_rng(0).permutation(len(pictures))
    with ThreadPoolExecutor(4) as pool:
        threaded = replace(pictures, pool=pool).read(numbers)
    np.testing.assert_array_equal(threaded, pictures.read(numbers))
