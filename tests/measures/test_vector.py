"""The measures of crops, against NumPy, SciPy and scikit-image on OpenCV's grey levels."""

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import block_reduce

from fiqa_cli.measures.detail import grey_levels
from fiqa_cli.measures.vector import MEASURES, measure
from methods.small import random_crops


def expected(crop: NDArray[np.uint8]) -> dict[str, float]:
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(float)
    face = grey[28:109, 22:91]
    blocks = block_reduce(face, (3, 3), np.mean)
    return {
        "sharpness": cv2.Laplacian(grey.astype(np.uint8), cv2.CV_64F).var(),
        "noise": max(immerkaer(grey), 2 * immerkaer(block_reduce(grey, (2, 2), np.mean))),
        "luminance": face.mean(),
        "underexposed": (face <= 25).mean(),
        "overexposed": (face >= 247).mean(),
        "contrast": face.std(),
        "mirror_symmetry": np.corrcoef(blocks.ravel(), blocks[:, ::-1].ravel())[0, 1],
    }


def immerkaer(grey: NDArray[np.float64]) -> float:
    mask = np.outer((1, -2, 1), (1, -2, 1))
    left = ndimage.convolve(grey, mask)[1:-1, 1:-1]
    return float(np.sqrt(np.pi / 2) * np.abs(left).mean() / 6)


def some_crops(faces: list[NDArray[np.uint8]]) -> torch.Tensor:
    of_faces = torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2)
    return torch.cat((of_faces, random_crops(3, seed=0), random_crops(2, seed=1) // 9))


def test_every_measure_is_what_its_definition_says(crops: list[NDArray[np.uint8]]) -> None:
    batch = some_crops(crops)
    found = measure(batch)
    assert list(found) == list(MEASURES)
    for number, crop in enumerate(batch.permute(0, 2, 3, 1).numpy()):
        for name, value in expected(np.ascontiguousarray(crop)).items():
            assert found[name].dtype == torch.float32
            assert float(found[name][number]) == pytest.approx(value, rel=1e-5), name


def test_grey_levels_are_those_of_opencv() -> None:
    crops = random_crops(4, seed=5)
    for crop, grey in zip(crops, grey_levels(crops), strict=True):
        pixels = np.ascontiguousarray(crop.permute(1, 2, 0).numpy())
        np.testing.assert_array_equal(grey.numpy(), cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))


def test_a_crop_measures_the_same_in_any_batch(crops: list[NDArray[np.uint8]]) -> None:
    batch = some_crops(crops)
    together = measure(batch)
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(batch)))
    for name, values in measure(batch[order]).items():
        assert torch.equal(values, together[name][order])
    for number in range(len(batch)):
        for name, values in measure(batch[number : number + 1]).items():
            assert torch.equal(values, together[name][number : number + 1])


def test_a_flat_crop_has_no_symmetry_to_speak_of() -> None:
    found = measure(torch.full((1, 3, 112, 112), 77, dtype=torch.uint8))
    assert found["mirror_symmetry"].isnan()
    assert found["luminance"] == 77
    assert found["sharpness"] == found["noise"] == found["contrast"] == 0


@pytest.mark.parametrize("deviation", [5, 20, 50])
def test_noise_is_estimated_in_grey_levels(deviation: float) -> None:
    rng = np.random.default_rng(0)
    grey = 128 + rng.normal(0, deviation, (4, 112, 112)).clip(-128, 127)
    crops = torch.from_numpy(np.rint(grey).astype(np.uint8))[:, None].expand(-1, 3, -1, -1)
    assert measure(crops)["noise"].tolist() == pytest.approx([deviation] * 4, rel=0.1)
