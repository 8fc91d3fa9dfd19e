"""Weights that are not what they should be: refused in one line that says what to do."""

import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from fiqa_cli.errors import FiqaError
from fiqa_cli.networks.unet import UNet, UNetConfig
from fiqa_cli.zoo.load import build, load_network, recognise
from fiqa_cli.zoo.onnx_network import load_onnx_quality
from fiqa_cli.zoo.registry import find
from fiqa_cli.zoo.state import load_state_dict
from zoo.toys import onnx_file

CONFIG: dict[str, Any] = {"dim": 8, "multipliers": (1, 2), "groups": 4, "heads": 1, "head_width": 4}
STATE = {name: value.clone() for name, value in UNet(UNetConfig(**CONFIG)).state_dict().items()}
MODEL = replace(find("diffiqa-n"), config=CONFIG)
FLOATS = (torch.float16, torch.bfloat16, torch.float64)
OTHERS = (torch.int8, torch.uint8, torch.int64, torch.bool, torch.complex64)

State = dict[str, Any]
KINDS = ("missing", "unknown", "shape", "value", "cast", "float")
KINDS += ("meta", "sparse", "object", "huge")
DTYPES = ("F32", "F16", "BF16", "F8_E4M3", "I64", "BOOL", "C64", "X\n\x1b[31m", "")

Fault = tuple[str, Callable[[State], object]]
"""What the message is to say, empty if the state dict is fine, and what does it."""


def assert_one_line(error: FiqaError, path: Path) -> None:
    text = str(error)
    assert text.isprintable(), text
    assert str(path) in text
    assert len(text) < 700


def put(name: str, value: object) -> Callable[[State], object]:
    return lambda state: state.update({name: value})


def spoiled(name: str, place: float, value: float) -> Tensor:
    values = STATE[name].clone()
    values.view(-1)[int(place * values.numel())] = value
    return values


names = st.sampled_from(sorted(STATE))
places = st.floats(0, 1, exclude_max=True)
shapes = st.lists(st.integers(0, 5), max_size=4)
unknown = st.text(min_size=1, max_size=200).filter(lambda name: name not in STATE)


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    name = draw(names)
    kind = draw(st.sampled_from(KINDS))
    if kind == "missing":
        return "missing", lambda state: state.pop(name, None)
    if kind == "unknown":
        return "unknown", put(draw(unknown), torch.ones(2))
    if kind == "shape":
        shape = draw(shapes.filter(lambda sizes: tuple(sizes) != STATE[name].shape))
        return "of another shape", put(name, torch.ones(shape))
    if kind == "value":
        value = draw(st.sampled_from([float("nan"), float("inf"), -float("inf")]))
        return "not finite", put(name, spoiled(name, draw(places), value))
    if kind == "cast":
        dtype = draw(st.sampled_from(OTHERS))
        return f"is {dtype}", put(name, torch.ones(STATE[name].shape).to(dtype))
    if kind == "float":
        return "", put(name, STATE[name].to(draw(st.sampled_from(FLOATS))))
    if kind == "meta":
        return "no plain tensor", put(name, torch.empty(STATE[name].shape, device="meta"))
    if kind == "sparse":
        return "no plain tensor", put(name, torch.ones(3).to_sparse())
    if kind == "object":
        value = draw(st.sampled_from([None, 3.0, "text", [1], {"a": 1}]))
        return "no plain tensor", put(name, value)
    # 2**42 numbers of which the file holds one.
    return "holds more than", put(name, torch.ones((), dtype=torch.float16).expand(2**21, 2**21))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(found=st.lists(faults(), min_size=1, max_size=3), kind=st.sampled_from(["zip", "old", "st"]))
def test_any_fault_of_a_state_dict_is_named(
    found: list[Fault], kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("w") / "weights"
    state = dict(STATE)
    for _, change in found:
        change(state)
    if kind == "st":
        assume(all(isinstance(value, Tensor) for value in state.values()))
        assume(all(v.layout is torch.strided and v.device.type == "cpu" for v in state.values()))
        assume(all(value.numel() < 2**20 for value in state.values()))
        save_file({name: value.contiguous() for name, value in state.items()}, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    # Two faults may undo each other; what is left tells what has to come of it.
    fine = state.keys() == STATE.keys() and all(
        isinstance(value, Tensor)
        and value.shape == STATE[name].shape
        and value.is_floating_point()
        and value.device.type == "cpu"
        and value.layout is torch.strided
        and bool(value.isfinite().all())
        for name, value in state.items()
    )
    if fine:
        network = load_network(MODEL, path)
        assert network.state_dict().keys() == STATE.keys()
        return
    with pytest.raises(FiqaError) as raised:
        load_network(MODEL, path)
    assert_one_line(raised.value, path)
    assert any(told and told in str(raised.value) for told, _ in found)


@pytest.mark.parametrize("counter", [torch.ones(3), torch.ones(0, dtype=torch.int64)])
def test_a_counter_of_another_shape_is_refused(counter: Tensor, tmp_path: Path) -> None:
    """Networks with batch normalisation count batches, which old files lack."""
    path, model = tmp_path / "w.pth", find("fr-n")
    with torch.device("meta"):
        state = build(model.method, model.network, model.config).state_dict()
    thin = {k: torch.ones((), dtype=v.dtype).expand(v.shape) for k, v in state.items()}
    name = next(name for name in thin if name.endswith("num_batches_tracked"))
    torch.save(thin | {name: counter}, path)
    with pytest.raises(FiqaError, match="1 of another shape") as raised:
        load_network(model, path)
    assert_one_line(raised.value, path)


def header(content: object, length: int | None = None) -> bytes:
    text = json.dumps(content).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    dtype=st.sampled_from(
        ["F32", "F16", "BF16", "F8_E4M3", "I64", "BOOL", "C64", "X\n\x1b[31m", ""]
    ),
    shape=st.lists(st.integers(-1, 2**62), max_size=3),
    offsets=st.tuples(st.integers(0, 2**62), st.integers(0, 2**62)) | st.just((0, 8)),
    name=st.text(max_size=300),
    length=st.none() | st.integers(0, 2**63 - 1),
    data=st.binary(max_size=20),
)
def test_any_safetensors_header_is_read_or_refused(
    dtype: str,
    shape: list[int],
    offsets: tuple[int, int],
    name: str,
    length: int | None,
    data: bytes,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("w") / "w.safetensors"
    entry = {"dtype": dtype, "shape": shape, "data_offsets": list(offsets)}
    path.write_bytes(header({name: entry}, length) + data)
    try:
        load_state_dict(path)
    except FiqaError as error:
        assert_one_line(error, path)


def test_a_file_that_was_cut_off_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(STATE, path)
    whole = path.read_bytes()
    for size in (9, 20, 200, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(FiqaError, match=r"cut off|damaged|no weights file") as raised:
            load_state_dict(path)
        assert_one_line(raised.value, path)
    path.write_bytes(whole[:200])
    with pytest.raises(FiqaError, match="is cut off: it has 200 bytes and a header of"):
        load_state_dict(path)


def test_a_zip_that_unpacks_to_what_no_memory_holds_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"a": torch.zeros(4)}, path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"w/data/{number + 7}", b"\0" * 2**22)
    content = bytearray(path.read_bytes())
    # What the directory announces of the last three: 3 GiB each.
    for _ in range(3):
        content = content.replace((2**22).to_bytes(4, "little"), (3 * 2**30).to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(FiqaError, match="unpacks to 10 GB") as raised:
        load_state_dict(path)
    assert_one_line(raised.value, path)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
))  # fmt: skip
def test_any_pickled_values_are_refused(
    values: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("w") / "w.pth"
    for write in (lambda: torch.save(values, path), lambda: path.write_bytes(pickle.dumps(values))):
        write()
        for read in (load_state_dict, recognise):
            with pytest.raises(FiqaError) as raised:
                read(path)
            assert_one_line(raised.value, path)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(cut=st.floats(0, 1), noise=st.lists(st.tuples(places, st.integers(0, 255)), max_size=4))
def test_any_bytes_are_an_onnx_network_or_refused(
    cut: float, noise: list[tuple[float, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = onnx_file(tmp_path_factory.mktemp("w") / "w.onnx")
    content = bytearray(path.read_bytes())
    for at, value in noise:
        content[int(at * len(content))] = value
    path.write_bytes(content[: round(cut * len(content))])
    try:
        load_onnx_quality(path)
    except FiqaError as error:
        assert_one_line(error, path)


def test_an_onnx_network_of_other_numbers_is_refused(tmp_path: Path) -> None:
    import onnx

    path = onnx_file(tmp_path / "w.onnx")
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    onnx.save(model, path)
    with pytest.raises(FiqaError, match=r"takes tensor\(double\)"):
        load_onnx_quality(path)
