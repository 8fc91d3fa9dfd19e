import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fiqa_cli.errors import FiqaError
from fiqa_cli.networks.unet import UNet, UNetConfig
from fiqa_cli.training.batches import channels_first, draw
from fiqa_cli.training.crops import hold_out
from fiqa_cli.training.diffusion import (
    DiffusionRecipe,
    prepare,
    restorable,
    restoration_loss,
    start_as_identity,
    tensors_of,
    worsened,
)
from fiqa_cli.training.export import export
from fiqa_cli.training.parallel import THIS
from fiqa_cli.training.pictures import Pictures
from fiqa_cli.training.plan import Plan
from fiqa_cli.training.recipe import make_recipe
from fiqa_cli.zoo.builtin import weights_folder
from fiqa_cli.zoo.load import load_network
from fiqa_cli.zoo.registry import resolve
from training.interruption import assert_resumes
from training.small_faces import negatives, small_pictures

RECIPE = DiffusionRecipe(
    data=(),
    steps=4,
    batch=2,
    accumulate=1,
    warm_up=2,
    rate=1e-3,
    held_out=2,
    dim=16,
    multipliers=(1, 2),
    patch=2,
    heads=1,
    head_width=8,
    identity=True,
)
BUILT_IN = make_recipe(DiffusionRecipe, weights_folder() / "unet-n.toml", {})


def plan(pictures: Pictures, recipe: DiffusionRecipe = RECIPE) -> Plan:
    return prepare(recipe, pictures, Path(), THIS, lambda line: None)


def test_a_stopped_run_goes_on_and_is_exported_as_trained(tmp_path: Path) -> None:
    faces = small_pictures(tmp_path / "faces")
    kept = assert_resumes(lambda: plan(faces), tmp_path, until=3)
    file = tmp_path / "unet.safetensors"
    export(kept, plan(faces).architecture, file, {})
    found = resolve(str(file))
    assert (found.method, found.recogniser) == ("diffiqa", "fr-n")
    network = load_network(found, file)
    assert isinstance(network, UNet)
    assert network.config == RECIPE.unet
    assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())


def test_training_begins_at_the_identity() -> None:
    torch.manual_seed(0)
    network = UNet(BUILT_IN.unet)
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
    pictures = negatives()
    batch = draw(np.arange(12), 0, 12, seed=1)
    clean, degraded, noise, time = tensors_of(batch, pictures)
    originals = channels_first(pictures.clean(range(6)))
    turned = 0
    for a, b in zip(clean, degraded, strict=True):
        as_is = (originals == a).all((1, 2, 3)).any()
        mirror = (originals.flip(3) == a).all((1, 2, 3)).any()
        assert as_is != mirror
        turned += int(mirror)
        assert torch.equal(a, b) or torch.equal(a, 255 - b)
    assert 0 < turned < 12
    assert 0 < sum(torch.equal(a, b) for a, b in zip(clean, degraded, strict=True)) < 12
    assert noise.shape == clean.shape
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 1) < 0.01
    assert 0 <= time.min() < time.max() < 100


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    pictures = negatives()

    def made(step: int, seed: int, rank: int = 0, processes: int = 1) -> tuple[Tensor, ...]:
        return tensors_of(draw(np.arange(12), step, 4, seed, rank, processes), pictures)

    first, again, later, other = made(3, 1), made(3, 1), made(4, 1), made(3, 2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for different in (later, other):
        assert not torch.equal(first[2], different[2])
        assert not torch.equal(first[3], different[3])
    for whole, part in zip(first, made(3, 1, 1, 2), strict=True):
        assert torch.equal(whole[1::2], part)


@pytest.mark.parametrize(
    ("kind", "kept"), [("jpeg", True), ("misalignment", False), ("pose", False), ("mixture", False)]
)
def test_copies_whose_face_may_have_moved_are_left_out(kind: str, kept: bool) -> None:
    assert restorable(negatives(kind)).tolist() == [[True, kept]] * 6


def test_held_out_identities_are_watched_and_never_trained_on(tmp_path: Path) -> None:
    pictures = small_pictures(tmp_path, copies=0)
    made = plan(pictures, replace(RECIPE, copies=0))
    held_out = set(np.flatnonzero(hold_out(pictures.crops.identities, 2, seed=1)))
    assert set(made.task.rows) == set(range(6)) - held_out
    told = made.task.monitor(UNet(RECIPE.unet))
    assert set(told) == {"held out", "rms at 4"}
    without = plan(pictures, replace(RECIPE, held_out=0))
    assert without.task.monitor(UNet(RECIPE.unet)) == {}


def test_an_identity_needs_channels_for_its_pixels() -> None:
    with pytest.raises(FiqaError, match="--identity needs --dim 12"):
        replace(RECIPE, dim=8)


def test_the_official_size_is_the_default() -> None:
    assert DiffusionRecipe(data=()).unet == UNetConfig()


def test_the_loss_falls_on_a_batch_that_is_repeated() -> None:
    torch.manual_seed(0)
    network = UNet(RECIPE.unet)
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
