"""ONNX graphs of our networks, checked by onnx and run by its own reference implementation."""

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import nn

from fiqa_cli.networks.folding import fold
from fiqa_cli.networks.heads import MLPHead
from fiqa_cli.networks.mobilefacenet import Bottleneck, MobileFaceNet
from fiqa_cli.networks.onnx_graph import CROPS, to_onnx
from networks.rule import crops, fill, inputs


class Small(nn.Module):
    """Every kind of layer that our networks have, few enough for a slow interpreter."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.conv = nn.Conv2d(3, 8, 3, 16, 1, bias=False)
        self.block = Bottleneck(8, 8, 16, residual=True)
        self.relu = nn.ReLU()
        self.linear = nn.Linear(8 * 7 * 7, 12)
        self.head = MLPHead(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.block(self.conv(self.norm(x))))
        embedding = nn.functional.normalize(self.linear(torch.flatten(x, 1)))
        out: torch.Tensor = self.head(embedding)
        return out


def test_every_kind_of_layer_computes_the_same() -> None:
    network = fill(Small())
    model = to_onnx(fold(network))
    (found,) = ReferenceEvaluator(onnx.load_model_from_string(model)).run(None, {CROPS: crops()})
    with torch.inference_mode():
        expected = network(inputs()).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_model_is_valid_and_takes_any_number_of_crops() -> None:
    model = onnx.load_model_from_string(to_onnx(fold(MobileFaceNet().eval())))
    onnx.checker.check_model(model, full_check=True)
    (given,) = model.graph.input
    sides = [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim]
    assert sides == ["N", 112, 112, 3]


def test_a_layer_it_does_not_know_is_no_silent_gap() -> None:
    with pytest.raises(KeyError):
        to_onnx(fold(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh()).eval()))
