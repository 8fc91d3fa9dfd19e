from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from fiqa_cli.networks.heads import EDifFIQANetwork
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.training.batches import batch_rows, to_input
from fiqa_cli.training.distillation import QualitySchedule, distillation_loss, train
from fiqa_cli.training.export import export, load_exported
from fiqa_cli.training.folding import fold, unfolded_state
from training.small_bank import small_bank
from training.teacher import teacher_state

SCHEDULE = QualitySchedule(steps=3, batch=2, frozen=1, warm_up=2)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "teacher.pt"
    torch.save(teacher_state(), path)
    return path


def weights(run: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(run / "checkpoint.pt", weights_only=True)["average"]
    return state


class Interruption(Exception):
    """Stands for a kill between two steps."""


def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(
    teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = small_bank()
    monkeypatch.setattr("fiqa_cli.training.distillation.HELD_OUT_IDENTITIES", 2)
    train(bank, teacher, tmp_path / "whole", SCHEDULE, every=1)

    def stop(rows: NDArray[np.int64], step: int, batch: int, seed: int) -> NDArray[np.int64]:
        if step == 2:
            raise Interruption
        return batch_rows(rows, step, batch, seed)

    with monkeypatch.context() as patch:
        patch.setattr("fiqa_cli.training.distillation.batch_rows", stop)
        with pytest.raises(Interruption):
            train(bank, teacher, tmp_path / "cut", SCHEDULE, every=1)
    train(bank, teacher, tmp_path / "cut", SCHEDULE, every=1)
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[name], cut[name]) for name in whole)

    exported = tmp_path / "ediffiqa-n.safetensors"
    export(tmp_path / "whole" / "checkpoint.pt", exported)
    assert exported.stat().st_size < 4_000_000
    network = load_exported(exported)
    # What is published scores as what was trained, apart from half precision.
    folded = EDifFIQANetwork(MobileFaceNet()).eval()
    fold(folded)
    folded.load_state_dict(
        {n.removeprefix("network."): v for n, v in whole.items() if n.startswith("network.")}
    )
    inputs = to_input(bank.crops[:4, 0])
    with torch.inference_mode():
        torch.testing.assert_close(network(inputs)[1], folded(inputs)[1], atol=0.02, rtol=0.02)


def test_folding_and_unfolding_change_no_result() -> None:
    torch.manual_seed(0)
    network = EDifFIQANetwork(MobileFaceNet()).train()
    for name, value in network.named_parameters():
        if "prelu" in name:
            value.data.zero_()
    inputs = torch.rand(4, 3, 112, 112) * 2 - 1
    with torch.no_grad():
        network(inputs)  # gives the normalisations statistics other than 0 and 1
        expected = network.eval()(inputs)
        fold(network)
        official = EDifFIQANetwork(MobileFaceNet()).eval()
        official.load_state_dict(unfolded_state(network, official))
        for out in (network(inputs), official(inputs)):
            torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-4)


def test_the_loss_terms_are_known_at_a_right_angle() -> None:
    quality, consistency = distillation_loss(
        projected=torch.tensor([[1.0, 0.0], [0.0, 2.0]]),
        quality=torch.tensor([0.5, 0.25]),
        embedding=torch.tensor([[0.0, 1.0], [0.0, 1.0]]),
        label=torch.tensor([0.25, 0.75]),
    )
    assert quality.item() == pytest.approx(0.375)
    assert consistency.item() == pytest.approx(0.5)
