"""The U-Net against figures of the official one, and its cheaper form against itself."""

import pytest
import torch
from torch import Tensor

from fiqa_cli.networks.unet import UNet, UNetConfig, for_inference, sinusoids
from golden.official import GOLDEN
from networks.rule import fill, inputs

SMALL = UNetConfig(dim=16, multipliers=(1, 2, 4), heads=2, head_width=8)


def small(**changes: int) -> UNet:
    network = fill(UNet(UNetConfig(**{**vars(SMALL), **changes})))
    assert isinstance(network, UNet)
    return network


def crop(size: int = 32) -> Tensor:
    return inputs()[:3, :, :size, :size]


def test_official_size_and_output() -> None:
    figures = GOLDEN["unet"]
    with torch.device("meta"):
        network = UNet()
    assert sum(p.numel() for p in network.parameters()) == figures["parameters"]
    fill(network.to_empty(device="cpu"))
    with torch.inference_mode():
        out = network(inputs()[:1].expand(2, -1, -1, -1), torch.tensor([0, 4]))
    for image, golden in zip(out, (figures["0"], figures["4"]), strict=True):
        values = image.flatten()[golden["flat_index"]]
        # Outputs of standard deviation 1.4 that come close to 0: hence the absolute tolerance.
        torch.testing.assert_close(values, torch.tensor(golden["value"]), rtol=1e-4, atol=1e-5)
        assert image.mean().item() == pytest.approx(golden["mean"], rel=1e-4)
        assert image.std(correction=0).item() == pytest.approx(golden["std"], rel=1e-4)


def test_official_names() -> None:
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in UNet().state_dict().items()}
    official = {
        "init_conv.weight": (128, 3, 7, 7),
        "time_mlp.3.weight": (512, 512),
        "downs.0.0.mlp.1.weight": (256, 512),
        "downs.1.1.block1.proj.weight": (128, 128, 3, 3),
        "downs.2.2.fn.fn.to_qkv.weight": (384, 256, 1, 1),
        "downs.2.2.fn.fn.to_out.1.g": (1, 256, 1, 1),
        "downs.2.2.fn.norm.g": (1, 256, 1, 1),
        "downs.2.3.weight": (512, 256, 4, 4),
        "downs.3.3.weight": (1024, 512, 3, 3),
        "mid_attn.fn.fn.to_out.bias": (1024,),
        "mid_block2.block2.norm.weight": (1024,),
        "ups.0.0.res_conv.weight": (1024, 1536, 1, 1),
        "ups.0.3.1.weight": (512, 1024, 3, 3),
        "ups.3.3.weight": (128, 128, 3, 3),
        "final_res_block.block1.proj.weight": (128, 256, 3, 3),
        "final_conv.bias": (3,),
    }
    assert official.items() <= shapes.items()


@pytest.mark.parametrize("patch", [1, 2])
def test_inference_form_computes_the_same_and_leaves_the_network_alone(patch: int) -> None:
    network = small(patch=patch)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    cheap = for_inference(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.inference_mode():
        expected = network(crop(), torch.tensor([3]))
        torch.testing.assert_close(cheap(crop(), torch.tensor([3])), expected, rtol=0, atol=3e-5)
    torch.testing.assert_close(dict(network.state_dict()), before, rtol=0, atol=0)
    raw = network.final_res_block.block1.proj.weight
    mean = raw.mean((1, 2, 3), keepdim=True)
    variance = (raw - mean).square().mean((1, 2, 3), keepdim=True)
    kernel = cheap.final_res_block.block1.proj.weight
    torch.testing.assert_close(
        kernel, (raw - mean) / (variance + 1e-5).sqrt(), rtol=1e-5, atol=1e-5
    )


def test_one_time_step_for_all_equals_one_for_each() -> None:
    network = small()
    with torch.inference_mode():
        each = network(crop(), torch.tensor([7, 7, 7]))
        torch.testing.assert_close(network(crop(), torch.tensor([7])), each, rtol=0, atol=1e-5)
        mixed = network(crop(), torch.tensor([7, 90, 7]))
    torch.testing.assert_close(mixed[::2], each[::2], rtol=0, atol=1e-5)
    assert (mixed[1] - each[1]).abs().max() > 0.01


@pytest.mark.parametrize("form", [lambda x: x, for_inference])
def test_an_image_does_not_depend_on_its_batch(form: object) -> None:
    network = form(small(patch=2))  # type: ignore[operator]
    with torch.inference_mode():
        together = network(crop(), torch.tensor([2]))
        alone = network(crop()[1:2], torch.tensor([2]))
    torch.testing.assert_close(together[1:2], alone, rtol=0, atol=1e-5)


def test_patch_moves_resolution_to_channels() -> None:
    network = small(patch=4)
    assert network.init_conv.weight.shape[1] == network.final_conv.weight.shape[0] == 3 * 16
    seen: list[tuple[int, ...]] = []
    network.final_conv.register_forward_hook(lambda m, x, y: seen.append(tuple(y.shape)))
    assert network(crop(48), torch.tensor([0])).shape == (3, 3, 48, 48)
    assert seen == [(3, 48, 12, 12)]
    # A pixel at a place in its square goes in by the channel by which it comes out.
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.final_conv.bias[:16] = torch.arange(16.0)
    red = network(crop(48), torch.tensor([0]))[0, 0]
    assert red[:4, :4].flatten().tolist() == list(range(16))
    assert torch.equal(red, red[:4, :4].repeat(12, 12))


@pytest.mark.parametrize("where", ["autocast", "weights"])
def test_half_precision_stays_close(where: str) -> None:
    network = small()
    with torch.inference_mode():
        exact = network(crop(), torch.tensor([4]))
        if where == "autocast":
            with torch.autocast("cpu", torch.bfloat16):
                half = network(crop(), torch.tensor([4]))
        else:
            half = network.bfloat16()(crop().bfloat16(), torch.tensor([4]))
    assert (half.float() - exact).std() < 0.03 * exact.std()


def test_the_whole_network_is_one_graph() -> None:
    network = for_inference(fill(UNet(UNetConfig(dim=16, multipliers=(1, 2)))))
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    with torch.inference_mode():
        expected = network(crop(), torch.tensor([4]))
        torch.testing.assert_close(compiled(crop(), torch.tensor([4])), expected)


def test_every_parameter_learns() -> None:
    network = small()
    network(crop(), torch.tensor([1, 50, 99])).square().mean().backward()
    still = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


def test_sinusoids() -> None:
    values = sinusoids(torch.tensor([0, 5]), 8)
    assert values[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    angles = 5 * torch.tensor([1, 10000 ** (-1 / 3), 10000 ** (-2 / 3), 1e-4])
    torch.testing.assert_close(values[1], torch.cat((angles.sin(), angles.cos())))
