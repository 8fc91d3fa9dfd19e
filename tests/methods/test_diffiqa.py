"""DifFIQA against the official implementation, a plain definition, and itself in other batches."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.diffiqa import FEWEST, DifFIQA, Diffusion, standard_error
from fiqa_cli.methods.precision import Precision
from fiqa_cli.methods.recogniser import Recogniser
from fiqa_cli.networks.iresnet import iresnet18
from fiqa_cli.networks.unet import UNet, UNetConfig
from golden.official import GOLDEN
from methods.small import (
    CPU,
    HALF,
    SmallRecogniser,
    assert_independent,
    random_crops,
    small_unet,
)
from networks.rule import crops, fill


def small(diffusion: Diffusion, seed: int = 0) -> DifFIQA:
    recogniser = Recogniser(SmallRecogniser(), HALF, CPU, Precision.FP32)
    return DifFIQA("d", small_unet(), recogniser, CPU, Precision.FP32, diffusion, seed=seed)


def test_golden_parity() -> None:
    golden = GOLDEN["diffiqa"]
    faces, copies, timestep = (golden[key] for key in ("images", "copies", "timestep"))
    images = torch.from_numpy(crops()[:faces]).permute(0, 3, 1, 2)
    rng = np.random.default_rng(99)
    # As the reference draws: forward noise, then once per step, for all faces, then all mirrored.
    noise = np.stack(
        [
            rng.standard_normal((2 * faces * copies, 3, 112, 112)).astype(np.float32)
            for _ in range(timestep)
        ]
    ).reshape(timestep, 2, faces, copies, 3, 112, 112)

    def draws(crop: Tensor, copy: int) -> Tensor:
        number = next(i for i, image in enumerate(images) if torch.equal(image, crop))
        return torch.from_numpy(noise[:, :, number, copy]).transpose(0, 1)

    config = UNetConfig(golden["unet"]["dim"], tuple(golden["unet"]["dim_mults"]))
    unet = fill(UNet(config))
    assert isinstance(unet, UNet)
    method = DifFIQA(
        "diffiqa",
        unet,
        Recogniser(fill(iresnet18()), HALF, CPU, Precision.FP32),
        CPU,
        Precision.FP32,
        Diffusion(copies, timestep),
        draws,
    )
    scores = method.score(images)
    for name, values in golden["terms"].items():
        torch.testing.assert_close(scores.components[name], torch.tensor(values), rtol=1e-4, atol=0)
    torch.testing.assert_close(scores.quality, torch.tensor(golden["quality"]), rtol=1e-4, atol=0)
    assert scores.components["copies"].tolist() == [copies] * faces


def test_standard_error_is_that_of_the_mean_over_the_copies_taken() -> None:
    rng = np.random.default_rng(1)
    cosines = rng.uniform(-1, 1, (3, 6, 4))
    taken = [6, 4, 2]
    for number, count in enumerate(taken):
        cosines[number, count:] = 0
    found = standard_error(torch.from_numpy(cosines), torch.tensor(taken))
    for number, count in enumerate(taken):
        quality = cosines[number, :count].sum(1) / 5
        expected = np.std(quality, ddof=1) / np.sqrt(count)
        assert found[number].item() == pytest.approx(expected, rel=1e-6)


def test_until_se_spends_copies_where_they_are_needed() -> None:
    batch = random_crops(6, seed=4)
    full = small(Diffusion(copies=12)).score(batch)
    errors = full.components["standard_error"]
    # An error between those after 12 copies and those after 4 stops some faces early.
    limit = float(errors.median()) * 1.4
    scores = small(Diffusion(copies=12, until_se=limit)).score(batch)
    copies = scores.components["copies"]
    assert copies.min() >= FEWEST
    assert copies.sum() < 12 * len(batch)
    early = copies < 12
    assert (scores.components["standard_error"][early] <= limit).all()
    # A face that took all copies scores as if there had been no limit.
    torch.testing.assert_close(scores.quality[~early], full.quality[~early], rtol=0, atol=1e-6)
    assert (scores.quality - full.quality).abs().max() < 4 * limit


def test_nothing_stops_at_an_error_of_zero() -> None:
    scores = small(Diffusion(copies=6, until_se=0.0)).score(random_crops(2, seed=0))
    assert scores.components["copies"].tolist() == [6, 6]


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 7), st.integers(0, 1000), st.randoms(use_true_random=False))
def test_scores_depend_on_neither_batch_nor_order(count: int, seed: int, random) -> None:
    assert_independent(small(Diffusion(copies=2, timestep=3)), count, seed, random)


def test_the_same_run_gives_the_same_bits_and_another_seed_another_score() -> None:
    batch = random_crops(3, seed=1)
    first, again, other = (
        small(Diffusion(copies=2), seed).score(batch).quality for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_run_that_runs_out_of_memory_ends_with_the_same_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch, method = random_crops(4, seed=2), small(Diffusion(copies=3, timestep=2))
    expected = method.score(batch)
    denoise, refused = DifFIQA._denoise, []

    def with_little_memory(self: DifFIQA, noised: Tensor, time: Tensor) -> Tensor:
        if len(noised) > 4:  # two copies, each with its mirror image
            refused.append(len(noised))
            raise torch.OutOfMemoryError("CUDA out of memory")
        return denoise(self, noised, time)

    monkeypatch.setattr(DifFIQA, "_denoise", with_little_memory)
    found = method.score(batch)
    assert refused
    torch.testing.assert_close(found.quality, expected.quality, rtol=0, atol=1e-6)
    tried = len(refused)
    method.score(batch)
    assert len(refused) == tried, "the next batch is cut to what fitted"


@pytest.mark.parametrize("wrong", [{"timestep": 0}, {"timestep": 1000}, {"copies": 0}])
def test_parameters_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(FiqaError, match=r"between|too few"):
        Diffusion(**wrong)
