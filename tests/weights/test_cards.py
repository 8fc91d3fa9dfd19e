"""What the model cards say of files and networks, against these."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fiqa_cli.networks.unet import UNet, for_inference
from fiqa_cli.zoo.builtin import read_sums, weights_folder
from fiqa_cli.zoo.load import load_network
from fiqa_cli.zoo.registry import find
from fiqa_cli.zoo.store import locate

NETWORKS = {"ediffiqa-n": "ediffiqa-n", "fr-n": "fr-n", "unet-n": "diffiqa-n"}
FOLDER = weights_folder()


def card(name: str) -> str:
    return (FOLDER / (f"{name}.md" if name in NETWORKS else f"{name}/README.md")).read_text()


def megabytes(*files: str) -> float:
    return sum((FOLDER / file).stat().st_size for file in files) / 1e6


def network_of(name: str) -> nn.Module:
    model = find(NETWORKS[name])
    return load_network(model, locate(model))


def gflop(network: nn.Module) -> float:
    """Operations of a pass of one crop, in the form that is scored with."""
    crop = torch.zeros(1, 3, 112, 112)
    given = (crop,)
    if isinstance(network, UNet):
        network, given = for_inference(network), (crop, torch.tensor([4]))
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(*given)
    return counter.get_total_flops() / 1e9


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_and_operations_are_as_the_card_says(name: str) -> None:
    network = network_of(name)
    told = re.search(r"([\d,]+) parameters, ([\d.]+) GFLOP", card(name))
    assert told
    assert int(told[1].replace(",", "")) == sum(p.numel() for p in network.parameters())
    assert float(told[2]) == pytest.approx(gflop(network), abs=0.005)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("ediffiqa-n", "ediffiqa-n.safetensors"),
        ("fr-n", "fr-n.safetensors"),
        ("unet-n", "unet-n.safetensors"),
        ("scrfd-n", "scrfd-n/det_scrfd_n.onnx"),
    ],
)
def test_files_are_as_large_as_the_card_says(name: str, file: str) -> None:
    told = re.search(rf"`{Path(file).name}`, (?:fp16|fp32|int8), ([\d.]+) MB", card(name))
    assert told
    assert float(told[1]) == pytest.approx(megabytes(file), abs=0.05)


def test_the_built_in_models_keep_their_limits() -> None:
    assert gflop(network_of("unet-n")) <= 3
    assert megabytes("fr-n.safetensors", "unet-n.safetensors") <= 12
    assert megabytes("ediffiqa-n.safetensors", "scrfd-n/det_scrfd_n.onnx") <= 12
    everything = [path.relative_to(FOLDER) for path in FOLDER.rglob("*") if path.is_file()]
    assert megabytes(*map(str, everything)) <= 25


def test_every_sealed_file_is_there() -> None:
    assert all((FOLDER / name).is_file() for name in read_sums(FOLDER))
