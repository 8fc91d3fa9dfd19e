"""Variance of the Laplacian, against OpenCV and SciPy."""

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage

from fiqa_cli.measures.detail import grey_levels
from fiqa_cli.methods.sharpness import Sharpness
from methods.small import random_crops


def test_the_same_as_opencv() -> None:
    crops = random_crops(5, seed=1)
    crops[1] = crops[1] // 40
    crops[2] = 200
    expected = []
    for crop in crops.permute(0, 2, 3, 1).numpy():
        grey = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY)
        expected.append(cv2.Laplacian(grey, cv2.CV_64F).var())
    scores = Sharpness().score(crops)
    assert scores.quality.dtype == torch.float32
    assert scores.quality.tolist() == pytest.approx(expected, rel=1e-6)
    assert scores.quality[2] == 0


def test_the_same_as_scipy_on_its_grey_levels() -> None:
    crops = random_crops(2, seed=2)
    luma = torch.tensor([0.299, 0.587, 0.114]).reshape(3, 1, 1)
    assert (grey_levels(crops) - (crops * luma).sum(1)).abs().max() <= 0.51
    expected = [
        ndimage.laplace(grey.astype(float), mode="mirror").var()
        for grey in grey_levels(crops).numpy()
    ]
    assert Sharpness().score(crops).quality.tolist() == pytest.approx(expected, rel=1e-6)


def test_blur_lowers_it() -> None:
    crop = random_crops(1, seed=3)[0].numpy()
    series = [ndimage.gaussian_filter(crop, (0, sigma, sigma)) for sigma in (0, 1, 2, 4)]
    quality = Sharpness().score(torch.from_numpy(np.stack(series))).quality
    assert (quality.diff() < 0).all()
