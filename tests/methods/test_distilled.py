"""Fast inference against the plain network, whatever the batch."""

import copy
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa_cli.methods.distilled import Distilled, normalise
from fiqa_cli.methods.precision import Precision
from fiqa_cli.networks.heads import DifFIQARNetwork, EDifFIQANetwork
from fiqa_cli.networks.iresnet import iresnet18
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from networks.rule import crops, fill

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "official.json").read_text())
CPU = torch.device("cpu")


ENGINES = ("onnxruntime", "torch")


def distilled(network: torch.nn.Module, engine: str = "onnxruntime") -> Distilled:
    """With the `engine` that is used where onnxruntime is installed, or where it is not."""
    with pytest.MonkeyPatch.context() as patch:
        if engine == "torch":
            patch.setitem(sys.modules, "onnxruntime", None)
        method = Distilled("t", network, CPU, Precision.FP32)
    assert method.engine == engine
    return method


def as_batch(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2)


@pytest.fixture(scope="module", params=ENGINES)
def method(request: pytest.FixtureRequest) -> Distilled:
    return distilled(fill(EDifFIQANetwork(MobileFaceNet())), request.param)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("variant", "recogniser"), [("t", MobileFaceNet), ("s", iresnet18)])
def test_folded_network_keeps_golden_parity(variant: str, recogniser: type, engine: str) -> None:
    method = distilled(fill(EDifFIQANetwork(recogniser())), engine)
    expected = torch.tensor(GOLDEN["ediffiqa"][variant]["quality"])
    quality = method.score(as_batch(crops())).quality
    assert quality.dtype == torch.float32
    torch.testing.assert_close(quality, expected, rtol=1e-4, atol=1e-7)


def test_preprocessing_is_the_official_one() -> None:
    values = torch.arange(256, dtype=torch.uint8)
    expected = (values.double() / 255 - 0.5) / 0.5
    torch.testing.assert_close(normalise(values).double(), expected, rtol=0, atol=1e-6)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 21), st.integers(0, 1000))
def test_score_does_not_depend_on_the_batch(method: Distilled, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    batch = as_batch(rng.integers(0, 256, (count, 112, 112, 3), dtype=np.uint8))
    together = method.score(batch).quality
    assert together.shape == (count,)
    place = int(rng.integers(count))
    alone = method.score(batch[place : place + 1]).quality
    # onnxruntime treats each crop for itself, to the last bit.
    tolerance = 1e-5 if method.engine == "torch" else 0
    torch.testing.assert_close(together[place : place + 1], alone, rtol=tolerance, atol=tolerance)


def test_both_engines_agree() -> None:
    batch = as_batch(crops())
    for network in (EDifFIQANetwork(MobileFaceNet()), DifFIQARNetwork(MobileFaceNet())):
        ours, other = (
            distilled(fill(copy.deepcopy(network)), engine).score(batch).quality
            for engine in ENGINES
        )
        torch.testing.assert_close(ours, other, rtol=1e-5, atol=1e-6)


def test_other_arithmetic_than_fp32_is_left_to_torch() -> None:
    network = fill(EDifFIQANetwork(MobileFaceNet()))
    assert Distilled("t", network, CPU, Precision.BF16).engine == "torch"


@pytest.mark.parametrize(
    ("slope", "amx", "engine", "precision"),
    [
        (0.0, False, "onnxruntime", Precision.FP32),
        (0.25, False, "torch", Precision.BF16),
        (0.0, True, "torch", Precision.BF16),
    ],
)
def test_auto_is_what_is_faster_where_bf16_is_native(
    slope: float, amx: bool, engine: str, precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    network = EDifFIQANetwork(MobileFaceNet()).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.PReLU):
            torch.nn.init.constant_(layer.weight, slope)
    method = Distilled("d", network, CPU)
    assert (method.engine, method.precision) == (engine, precision)


def test_bf16_keeps_the_order_of_clearly_different_crops() -> None:
    network = fill(EDifFIQANetwork(iresnet18()))
    exact = Distilled("s", network, CPU, Precision.FP32).score(as_batch(crops())).quality
    rough = Distilled("s", network, CPU, Precision.BF16).score(as_batch(crops())).quality
    assert torch.argmax(exact) == torch.argmax(rough)
    torch.testing.assert_close(rough, exact, rtol=0.1, atol=0.05)
