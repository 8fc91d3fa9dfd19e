"""The diffusion of DifFIQA: cosine schedule, forward noise, restoration by DDIM."""

import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from fiqa_cli.errors import FiqaError

STEPS = 1000
"""Time steps of the schedule, 0 (almost clean) to 999 (noise)."""

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""Maps noised images `[N, 3, H, W]` and a time step, int64 `[1]`, to estimates of the clean."""


@functools.cache
def alphas_cumprod() -> Tensor:
    """Share of the image's variance left at every time step, float64 `[1000]`, falling from 1.

    The cosine schedule of Nichol and Dhariwal (2021), eq. 17, with betas of at most 0.999.
    """
    time = torch.linspace(0, 1, STEPS + 1, dtype=torch.float64, device="cpu")
    squared = torch.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2
    squared /= squared[0].clone()
    betas = (1 - squared[1:] / squared[:-1]).clamp(0, 0.999)
    return torch.cumprod(1 - betas, 0)


def add_noise(image: Tensor, step: int | Tensor, noise: Tensor) -> Tensor:
    """Images at time step `step` of the forward process (Ho et al., 2020, eq. 4).

    `image` and `noise`, standard normal, are float `[N, 3, H, W]`; `step` is 0 to 999, for all
    images or as integers `[N]` on any device. Returns `[N, 3, H, W]`.
    """
    share = alphas_cumprod()
    if isinstance(step, int):
        kept = float(share[step])
        return image * math.sqrt(kept) + noise * math.sqrt(1 - kept)
    shares = share.to(step.device)[step].view(-1, 1, 1, 1)
    return image * shares.sqrt().to(image) + noise * (1 - shares).sqrt().to(image)


def restore(network: Denoiser, noised: Tensor, step: int, draw: Callable[[int], Tensor]) -> Tensor:
    """Restore images from time step `step` by DDIM with eta 1 (Song et al., 2021, eq. 12).

    `noised` is float `[N, 3, H, W]` at time step `step`, 1 to 999. As in the reference, the
    network is told the time steps `step - 1`, ..., 0; the reference repeats 0, which changes
    nothing. Returns the last estimate of the clean images, in [-1, 1], of the same shape.

    `draw(i)` returns standard normal noise of the same shape. It is called after the visit of
    each time step but 0, with i = 1 for `step - 1`, ..., `step - 1` for 1: so i = 0 is left
    for the noise that made `noised`. (The reference has one draw more, which it multiplies by 0.)

    Raises `FiqaError` when `step` is not between 1 and 999.
    """
    if not 1 <= step < STEPS:
        raise FiqaError(f"time step {step} is not between 1 and {STEPS - 1}: give one that is")
    # All of both at once, so that nothing goes to the device while it is at work.
    times = torch.arange(step, device=noised.device)
    weights = {time: ddim_weights(time) for time in range(1, step)}
    for time in range(step - 1, 0, -1):
        clean = network(noised, times[time : time + 1]).clamp(-1, 1)
        of_clean, of_noised, of_noise = weights[time]
        noised = noised * of_noised
        noised.add_(clean, alpha=of_clean).add_(draw(step - time), alpha=of_noise)
    return network(noised, times[:1]).clamp(-1, 1).to(noised.dtype)


def ddim_weights(time: int) -> tuple[float, float, float]:
    """Weights of the clean estimate, the noised image and fresh noise in the next noised image.

    For the step from time step `time`, 1 to 999, to `time - 1` with eta 1.
    """
    exact = float(alphas_cumprod()[time])
    # Single precision where the reference has it: the difference below loses three digits, and
    # that is 1e-4 of the mean of a restored image.
    after, now = alphas_cumprod()[time - 1 : time + 1].float()
    fresh = ((1 - now / after) * (1 - after) / (1 - now)).sqrt()
    old = float((1 - after - fresh**2).sqrt())
    return (
        float(after.sqrt()) - old * (exact / (1 - exact)) ** 0.5,
        old / (1 - exact) ** 0.5,
        float(fresh),
    )
