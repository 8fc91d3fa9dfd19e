import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from fiqa_cli.networks.unet import UNet, UNetConfig
from fiqa_cli.training.batches import to_input
from fiqa_cli.training.crops import hold_out
from fiqa_cli.training.diffusion import (
    UNET_N,
    DiffusionSchedule,
    draw,
    restorable,
    restoration_loss,
    start_as_identity,
    train,
    worsened,
)
from fiqa_cli.training.export import export, load_exported
from training.small_bank import small_bank

TINY = UNetConfig(dim=12, multipliers=(1, 2), patch=2, heads=1, head_width=8, groups=4)
SCHEDULE = DiffusionSchedule(steps=4, batch=2, warm_up=2, unet=TINY)


@pytest.fixture(autouse=True)
def held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fiqa_cli.training.diffusion.HELD_OUT_IDENTITIES", 2)
    monkeypatch.setattr("fiqa_cli.training.diffusion.MONITORED", 2)


class Interruption(Exception):
    """Stands for a kill between two steps."""


def test_a_stopped_run_goes_on_and_is_exported_as_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = small_bank("jpeg")
    train(bank, tmp_path / "whole", SCHEDULE, every=2)

    def stop(*arguments: object) -> tuple[Tensor, ...]:
        if not torch.is_inference_mode_enabled() and arguments[2] == 3:
            raise Interruption
        return draw(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("fiqa_cli.training.diffusion.draw", stop)
        with pytest.raises(Interruption):
            train(bank, tmp_path / "cut", SCHEDULE, every=2)
    train(bank, tmp_path / "cut", SCHEDULE, every=2)
    whole, cut = (
        torch.load(tmp_path / run / "checkpoint.pt", weights_only=True) for run in ("whole", "cut")
    )
    for part in ("student", "average"):
        assert all(torch.equal(whole[part][name], cut[part][name]) for name in whole[part])

    exported = tmp_path / "unet-n.safetensors"
    export(tmp_path / "whole" / "checkpoint.pt", exported)
    network = load_exported(exported)
    assert isinstance(network, UNet)
    assert network.config == TINY
    trained = UNet(TINY)
    trained.load_state_dict(whole["average"])
    x, time = to_input(bank.crops[:, 0]), torch.tensor([4])
    with torch.inference_mode():
        torch.testing.assert_close(network(x, time), trained(x, time), atol=0.01, rtol=0.01)
    with safe_open(exported, framework="pt") as file:
        assert file.metadata()["licence"] == "non-commercial research only"


def test_the_built_in_size_keeps_its_limits() -> None:
    network = UNet(UNET_N)
    # With fr-n, 2.3 MB, at most 12 MB in half precision.
    assert sum(value.numel() for value in network.parameters()) * 2 < 9_000_000
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 112, 112), torch.tensor([4])).shape == (1, 3, 112, 112)


def test_training_begins_at_the_identity() -> None:
    torch.manual_seed(0)
    network = UNet(UNET_N)
    start_as_identity(network)
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(network(x, torch.tensor([3, 90])), x)
    F.mse_loss(network(x, torch.tensor([3, 90])), -x).backward()  # type: ignore[no-untyped-call]
    assert network.final_res_block.block2.norm.weight.grad is not None
    assert network.final_res_block.block2.norm.weight.grad.abs().max() > 0


@pytest.mark.parametrize(("time", "share"), [(0, 0.0), (50, math.sqrt(0.5)), (100, 1.0)])
def test_crops_are_worsened_with_time(time: int, share: float) -> None:
    clean, degraded = torch.rand(2, 2, 3, 8, 8).unbind(0)
    expected = (1 - share) * clean + share * degraded
    times = torch.tensor([time, 0])
    out = worsened(clean, degraded, times)
    torch.testing.assert_close(out[0], expected[0])
    torch.testing.assert_close(out[1], clean[1])


def test_the_clean_crop_is_the_target_of_the_degraded_and_noised_one() -> None:
    torch.manual_seed(0)
    clean, degraded, noise = torch.randn(3, 2, 3, 112, 112).unbind(0)
    time = torch.tensor([0, 99])

    class Recorder(nn.Module):
        def forward(self, noised: Tensor, times: Tensor) -> Tensor:
            self.noised, self.times = noised, times
            return clean + torch.tensor([0.0, 0.5]).view(2, 1, 1, 1)

    recorder = Recorder()
    assert restoration_loss(recorder, clean, degraded, noise, time).tolist() == [0.0, 0.25]
    assert torch.equal(recorder.times, time)
    # At time 99 hardly anything of the clean crop is left, and the noise is a fifth.
    share = math.sin(0.99 * math.pi / 2)
    kept = math.cos((0.1 + 0.008) / 1.008 * math.pi / 2) / math.cos(0.008 / 1.008 * math.pi / 2)
    mixed = (1 - share) * clean[1] + share * degraded[1]
    expected = kept * mixed + math.sqrt(1 - kept**2) * noise[1]
    torch.testing.assert_close(recorder.noised[1], expected, atol=1e-4, rtol=1e-4)


def test_a_batch_pairs_each_clean_crop_with_its_own_copy() -> None:
    bank = small_bank("jpeg")
    clean, degraded, noise, time = draw(bank, np.arange(12), 0, 12, seed=1)
    pictures = to_input(bank.crops[:, 0])
    turned = 0
    for a, b in zip(clean, degraded, strict=True):
        as_is = (pictures == a).all((1, 2, 3))
        mirror = (pictures.flip(3) == a).all((1, 2, 3))
        assert as_is.any() != mirror.any()
        turned += int(mirror.any())
        # The copies of the small bank are negatives.
        assert torch.equal(a, b) or torch.allclose(a, -b, atol=1e-6)
    assert 0 < turned < 12
    assert 0 < sum(torch.equal(a, b) for a, b in zip(clean, degraded, strict=True)) < 12
    assert noise.shape == clean.shape
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 1) < 0.01
    assert 0 <= time.min() < time.max() < 100


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    bank, rows = small_bank("jpeg"), np.arange(12)
    first = draw(bank, rows, 3, 4, seed=1)
    again, later, other = (draw(bank, rows, *key) for key in ((3, 4, 1), (4, 4, 1), (3, 4, 2)))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for different in (later, other):
        assert not torch.equal(first[2], different[2])
        assert not torch.equal(first[3], different[3])


@pytest.mark.parametrize(
    ("kind", "kept"), [("jpeg", True), ("misalignment", False), ("mixture", False)]
)
def test_copies_whose_face_may_have_moved_are_left_out(kind: str, kept: bool) -> None:
    assert restorable(small_bank(kind)).tolist() == [[True, kept]] * 6


def test_held_out_identities_are_never_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = small_bank("jpeg")
    drawn: dict[bool, set[int]] = {True: set(), False: set()}

    def record(bank, rows, *key):  # type: ignore[no-untyped-def]
        drawn[torch.is_inference_mode_enabled()].update(rows // 2)
        return draw(bank, rows, *key)

    monkeypatch.setattr("fiqa_cli.training.diffusion.draw", record)
    train(bank, tmp_path, replace(SCHEDULE, steps=1), every=1)
    held_out = set(np.flatnonzero(hold_out(bank.identities, 2, seed=1)))
    assert drawn[True] == held_out
    assert drawn[False] == set(range(6)) - held_out


def test_the_loss_falls_on_a_batch_that_is_repeated() -> None:
    torch.manual_seed(0)
    network = UNet(TINY)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    x = torch.linspace(-1, 1, 32)
    clean = torch.stack((x.expand(32, 32), x[:, None].expand(32, 32)))[:, None].repeat(1, 3, 1, 1)
    batch = clean, -clean, torch.zeros_like(clean), torch.tensor([20, 60])
    losses = []
    for _ in range(20):
        loss = restoration_loss(network, *batch).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
