import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from fiqa_cli.errors import FiqaError
from fiqa_cli.networks.heads import EDifFIQANetwork
from fiqa_cli.networks.iresnet import iresnet100
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.networks.unet import UNet, UNetConfig
from fiqa_cli.zoo.formats import weights_format
from fiqa_cli.zoo.load import load_network, recognise
from fiqa_cli.zoo.registry import find, resolve
from fiqa_cli.zoo.state import load_state_dict
from zoo.toys import ARCHITECTURES, onnx_file, thin_state


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """More threads only get in each other's way on crops this few."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tiny() -> nn.Module:
    torch.manual_seed(1)
    return EDifFIQANetwork(MobileFaceNet()).eval()


@pytest.mark.parametrize("suffix", ["pth", "bin"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_comes_back_from_its_state_dict(
    name: str, suffix: str, tmp_path: Path
) -> None:
    if suffix == "bin" and "iresnet100" in find(name).network:
        pytest.skip("the same reader; the large one once is enough")
    state = thin_state(name)
    path = tmp_path / f"pytorch_model.{suffix}"
    torch.save(state, path)
    network = load_network(find(name), path)
    assert not network.training
    loaded = network.state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[key].flatten()[:1], state[key].flatten()[:1]) for key in state)
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    model = find(name)
    assert recognise(path) == (model.method, model.network, {})


@pytest.mark.parametrize("kind", ["pth", "old pth", "safetensors", "nested", "prefixed"])
def test_quality_is_the_same_after_a_round_trip(tiny: nn.Module, kind: str, tmp_path: Path) -> None:
    path, state = tmp_path / "weights.unknown", tiny.state_dict()
    if kind == "safetensors":
        save_file(state, path)
    elif kind == "old pth":
        torch.save(state, path, _use_new_zipfile_serialization=False)
    elif kind == "nested":
        torch.save({"state_dict": state, "epoch": 3}, path)
    elif kind == "prefixed":
        torch.save({"model": {f"module.{key}": value for key, value in state.items()}}, path)
    else:
        torch.save(state, path)
    crops = torch.rand(1, 3, 112, 112) * 2 - 1
    with torch.no_grad():
        expected = tiny(crops)[1]
        assert torch.equal(load_network(find("ediffiqa-t"), path)(crops)[1], expected)


def test_half_precision_and_missing_counters(tiny: nn.Module, tmp_path: Path) -> None:
    state = {
        key: value.half()
        for key, value in tiny.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    save_file(state, tmp_path / "n.safetensors")
    network = load_network(find("ediffiqa-n"), tmp_path / "n.safetensors")
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    weight = network.state_dict()["mlp.l1.weight"]
    assert torch.equal(weight, tiny.state_dict()["mlp.l1.weight"].half().float())
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 112, 112))[1].shape == (1,)
    model = resolve(str(tmp_path / "n.safetensors"))
    assert (model.method, model.network, model.source) == ("ediffiqa", "mobilefacenet", "file")


def test_recogniser_is_loaded_without_a_head(tmp_path: Path) -> None:
    with torch.device("meta"):
        state = iresnet100().state_dict()
    thin = {k: torch.ones((), dtype=v.dtype).expand(v.shape) for k, v in state.items()}
    torch.save(thin, tmp_path / "backbone.pth")
    network = load_network(find("cosface-r100"), tmp_path / "backbone.pth")
    assert type(network).__name__ == "IResNet"
    with pytest.raises(FiqaError, match="fits no architecture that gives a quality"):
        recognise(tmp_path / "backbone.pth")
    found = resolve(str(tmp_path / "backbone.pth"), kind="recogniser")
    assert (found.kind, found.network) == ("recogniser", "iresnet100")


def test_a_recogniser_of_any_width_is_told_by_its_file(tmp_path: Path) -> None:
    network = MobileFaceNet(features=24)
    torch.save(network.state_dict(), tmp_path / "own.pth")
    found = resolve(str(tmp_path / "own.pth"), kind="recogniser")
    assert (found.network, found.config) == ("mobilefacenet", {"features": 24})
    crops = torch.rand(2, 3, 112, 112)
    with torch.no_grad():
        expected = network.eval()(crops)
        assert torch.equal(load_network(found, tmp_path / "own.pth")(crops), expected)


def test_what_is_no_recogniser_is_refused(tiny: nn.Module, tmp_path: Path) -> None:
    torch.save(tiny.state_dict(), tmp_path / "t.pth")
    with pytest.raises(FiqaError, match="is no recogniser that fiqa knows"):
        resolve(str(tmp_path / "t.pth"), kind="recogniser")
    with pytest.raises(FiqaError, match="ediffiqa-n is a quality: 'fiqa models list' shows every"):
        resolve("ediffiqa-n", kind="recogniser")


@pytest.mark.parametrize("form", ["bare", "checkpoint", "ema alone"])
def test_unet_comes_out_of_every_form_of_checkpoint(form: str, tmp_path: Path) -> None:
    """The diffusion's training saves the U-Net inside the diffusion, beside its moving average."""
    config = {"dim": 8, "multipliers": (1, 2), "groups": 4, "heads": 1, "head_width": 4}
    network = UNet(UNetConfig(**config)).eval()
    state = network.state_dict()
    inside = {f"model.{name}": value for name, value in state.items()}
    average = {f"ema_model.{name}": value for name, value in inside.items()}
    other = {f"online_model.{name}": value + 1 for name, value in inside.items()}
    counters = {"initted": torch.tensor([True]), "step": torch.tensor([7])}
    ema = {**other, **average, **counters}
    content = {
        "bare": state,
        "checkpoint": {
            "step": 7,
            "model": {**inside, "betas": torch.zeros(3)},
            "opt": {},
            "ema": {key: value + 1 for key, value in ema.items()},
            "scaler": None,
        },
        "ema alone": {"step": 7, "ema": ema},
    }
    torch.save(content[form], tmp_path / "diff.pt")
    model = replace(find("diffiqa"), config=config)
    loaded = load_network(model, tmp_path / "diff.pt").state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s.pop("mlp.l1.weight"), r"1 missing \(mlp\.l1\.weight"),
        (lambda s: s.update(extra=torch.zeros(1)), r"1 unknown \(extra"),
        (lambda s: s.update({"mlp.l2.weight": torch.zeros(2, 1024)}), r"1 of another shape"),
        (lambda s: s["mlp.l2.bias"].fill_(float("nan")), "not finite"),
        (lambda s: s["mlp.l2.bias"].fill_(float("inf")), "not finite"),
        (lambda s: s.update({"mlp.l2.bias": torch.zeros(1, dtype=torch.int8)}), "int8"),
        (lambda s: s.update({"mlp.l2.bias": 3.0}), "no plain tensor"),
        (lambda s: s.update({"mlp.l2.bias": torch.zeros(1).to_sparse()}), "no plain tensor"),
        (lambda s: s.clear(), "no state dict"),
    ],
)
def test_wrong_state_dict_is_one_clear_line(
    tiny: nn.Module, change, told: str, tmp_path: Path
) -> None:
    state = {key: value.clone() for key, value in tiny.state_dict().items()}
    change(state)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(FiqaError, match=told) as raised:
        load_network(find("ediffiqa-t"), tmp_path / "w.pth")
    assert "\n" not in str(raised.value)


def test_weights_of_another_size_are_named_as_such(tiny: nn.Module, tmp_path: Path) -> None:
    torch.save(tiny.state_dict(), tmp_path / "t.pth")
    with pytest.raises(FiqaError, match="does not hold ediffiqa-s: parameters"):
        load_network(find("ediffiqa-s"), tmp_path / "t.pth")


@pytest.mark.parametrize("content", [3, [torch.zeros(1)], torch.zeros(3), {1: torch.zeros(1)}])
def test_no_state_dict(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(FiqaError, match="no state dict"):
        load_state_dict(tmp_path / "w.pth")


class Hostile:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.witness}'",)


@pytest.mark.parametrize("saver", ["torch", "old torch", "pickle"])
def test_hostile_pickle_is_refused_and_does_not_run(saver: str, tmp_path: Path) -> None:
    path, witness = tmp_path / "w.pth", tmp_path / "ran"
    content = {"state_dict": {"a": torch.zeros(1)}, "payload": Hostile(witness)}
    if saver == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=saver == "torch")
    for read in (load_state_dict, recognise, lambda p: resolve(str(p))):
        with pytest.raises(FiqaError) as raised:
            read(path)
        assert "\n" not in str(raised.value)
    assert not witness.exists()


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(["zip", "old", "safetensors", "none"]),
    cut=st.floats(0, 1),
    noise=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4),
    junk=st.binary(max_size=40),
)
def test_any_bytes_give_a_state_dict_or_one_line(
    kind: str, cut: float, noise: list[tuple[float, int]], junk: bytes, tmp_path_factory
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "w.pth"
    state = {"a": torch.arange(12.0).reshape(3, 4), "b": torch.ones(2)}
    if kind == "safetensors":
        save_file(state, path)
    elif kind == "none":
        path.write_bytes(junk)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    data = bytearray(path.read_bytes())
    for at, value in noise:
        if data:
            data[int(at * len(data))] = value
    path.write_bytes(data[: round(cut * len(data))])
    try:
        loaded = load_state_dict(path)
    except FiqaError as error:
        assert "\n" not in str(error)
    else:
        assert all(value.isfinite().all() for value in loaded.values())


def test_format_is_told_by_content_not_by_name(tiny: nn.Module, tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "a.pth")
    assert weights_format(tmp_path / "a.pth") == "safetensors"
    torch.save({"a": torch.zeros(1)}, tmp_path / "b.onnx")
    assert weights_format(tmp_path / "b.onnx") == "torch"
    onnx_file(tmp_path / "c.safetensors")
    assert weights_format(tmp_path / "c.safetensors") == "onnx"
    (tmp_path / "d.onnx").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(FiqaError, match="no weights file"):
        weights_format(tmp_path / "d.onnx")
    with pytest.raises(FiqaError, match="cannot read"):
        weights_format(tmp_path)
