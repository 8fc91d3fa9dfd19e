"""The diffusion against its definitions, written out slowly, and against official figures."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fiqa_cli.errors import FiqaError
from fiqa_cli.networks.diffusion import add_noise, alphas_cumprod, restore
from golden.official import GOLDEN


def share(step: int) -> float:
    """The cosine schedule by its closed form, good where no beta is clipped."""
    f = [math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in (step + 1, 0)]
    return f[0] / f[1]


def toy(x: np.ndarray, step: int) -> np.ndarray:
    """A denoiser whose output depends on the step and leaves [-1, 1] at times."""
    return 1.1 * np.tanh(x) + 0.01 * step


def reference(x: np.ndarray, step: int, noise: list[np.ndarray]) -> np.ndarray:
    """DDIM by its paper with the official time steps, every one of them, in float64."""
    times = [int(t) for t in np.linspace(-1, step - 1, step + 2)][::-1]
    assert times[-3:] == [0, 0, -1]
    draws = iter([*noise, np.full(x.shape, 1e6)])
    for now, after in itertools.pairwise(times):
        clean = np.clip(toy(x, now), -1, 1)
        if after < 0:
            return clean
        a, b = share(now), share(after)
        epsilon = (x - math.sqrt(a) * clean) / math.sqrt(1 - a)
        sigma = math.sqrt((1 - b) / (1 - a)) * math.sqrt(1 - a / b)
        direction = math.sqrt(1 - b - sigma**2) * epsilon
        x = math.sqrt(b) * clean + direction + sigma * next(draws)
    raise AssertionError


def test_schedule() -> None:
    shares = alphas_cumprod()
    assert (shares.dtype, shares.shape) == (torch.float64, (1000,))
    golden = GOLDEN["schedule"]["alphas_cumprod_0_to_6"]
    assert shares[:7].tolist() == pytest.approx(golden, rel=1e-6)
    closed = [share(step) for step in range(999)]
    assert shares[:999].tolist() == pytest.approx(closed, rel=1e-9)
    assert shares[999].item() == pytest.approx(shares[998].item() * 0.001, rel=1e-9)


@given(st.lists(st.integers(0, 998), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_add_noise(steps: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    image, noise = rng.uniform(-1, 1, (2, len(steps), 3, 2, 2)).astype(np.float32)
    tensors = torch.from_numpy(image), torch.from_numpy(noise)
    together = add_noise(tensors[0], torch.tensor(steps), tensors[1])
    assert together.dtype == torch.float32
    for i, step in enumerate(steps):
        expected = math.sqrt(share(step)) * image[i] + math.sqrt(1 - share(step)) * noise[i]
        np.testing.assert_allclose(together[i], expected, atol=1e-6)
        single = add_noise(tensors[0][i], step, tensors[1][i])
        np.testing.assert_allclose(single, expected, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_restore(step: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    noised = rng.standard_normal((2, 3, 4, 4))
    noise = [rng.standard_normal(noised.shape) for _ in range(step - 1)]
    visits: list[int] = []
    draws: list[int] = []

    def network(x: Tensor, time: Tensor) -> Tensor:
        assert time.shape == (1,)
        visits.append(time.item())
        return torch.from_numpy(toy(x.numpy(), time.item()))

    def draw(i: int) -> Tensor:
        draws.append(i)
        assert len(visits) == i
        return torch.from_numpy(noise[i - 1]).float()

    original = torch.from_numpy(noised).float()
    given_ = original.clone()
    restored = restore(network, given_, step, draw)
    assert torch.equal(given_, original)
    assert visits == list(range(step))[::-1]
    assert draws == list(range(1, step))
    # The reference implementation computes sigma in fp32, and so do we: hence the tolerance.
    np.testing.assert_allclose(restored, reference(noised, step, noise), atol=5e-4)


@pytest.mark.parametrize("step", [0, -1, 1000])
def test_restore_refuses_other_time_steps(step: int) -> None:
    with pytest.raises(FiqaError, match="between 1 and 999"):
        restore(lambda x, t: x, torch.zeros(1, 3, 4, 4), step, lambda i: torch.zeros(1, 3, 4, 4))
