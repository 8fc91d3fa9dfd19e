"""Noise: the same for the same crop, seed and copy, and as random as it should be."""

import torch

from fiqa_cli.methods.noise import normal, uniform
from methods.small import random_crops


def test_noise_depends_on_crop_seed_and_copy_and_on_no_memory_layout() -> None:
    first, second = random_crops(2, seed=0)
    wanted = normal(first, 0, 0, 2)
    across = first.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert torch.equal(normal(across, 0, 0, 2), wanted)
    for other in (normal(second, 0, 0, 2), normal(first, 1, 0, 2), normal(first, 0, 1, 2)):
        correlation = torch.corrcoef(torch.stack((wanted.flatten(), other.flatten())))[0, 1]
        assert abs(correlation) < 0.02  # five standard deviations of independent noise


def test_distributions() -> None:
    crop = random_crops(1, seed=0)[0]
    bell = normal(crop, 0, 0, 4)
    assert bell.dtype == torch.float32
    assert bell.shape == (4, 3, 112, 112)
    assert abs(bell.mean()) < 0.015
    assert abs(bell.std() - 1) < 0.015
    assert abs((bell.abs() < 1).float().mean() - 0.6827) < 0.01
    flat = uniform(crop, 0, 0)
    assert -1 <= flat.min() < -0.999 and 0.999 < flat.max() < 1
    assert abs(flat.std() - 3**-0.5) < 0.01
