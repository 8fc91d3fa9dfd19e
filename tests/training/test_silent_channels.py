"""Channels that never fire are found and zeroed, and nothing else changes."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.catalogue import load_method
from fiqa_cli.methods.distilled import normalise
from fiqa_cli.methods.precision import Precision
from fiqa_cli.networks.folding import fold
from fiqa_cli.networks.heads import EDifFIQANetwork
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.networks.multiply_adds import multiply_adds
from fiqa_cli.networks.pruning import prune
from fiqa_cli.training.crops import open_crops
from fiqa_cli.training.pictures import Pictures
from fiqa_cli.training.silent_channels import silence, silence_file
from networks.rule import crops, fill
from training.rectified import batches, quiet, rectified

CPU = torch.device("cpu")


def fired(network: nn.Module) -> dict[str, Tensor]:
    """Which channels are above 0 anywhere, with everything as it is named officially."""
    found: dict[str, Tensor] = {}
    for name, block in rectified(network).items():
        block.register_forward_hook(
            lambda _block, _inputs, out, name=name: found.update({name: (out > 0).any((0, 2, 3))})
        )
    with torch.inference_mode():
        network(normalise(torch.cat(batches())))
    return found


def test_channels_that_never_fire_are_zeroed_and_nothing_else() -> None:
    network = quiet(MobileFaceNet())
    pixels = normalise(torch.cat(batches()))
    expected = fired(quiet(MobileFaceNet()))
    with torch.inference_mode():
        before = network(pixels)
    cost = multiply_adds(network)
    found = silence(network, batches(), CPU)
    assert found == {name: (int((~f).sum()), len(f)) for name, f in expected.items()}
    count, channels = map(sum, zip(*found.values(), strict=True))
    assert 0.1 < count / channels < 0.6
    official = quiet(MobileFaceNet()).state_dict()
    for name, value in network.state_dict().items():
        layer, _, key = name.rpartition(".bn.")
        if layer in expected and key in ("weight", "bias"):
            assert not value[~expected[layer]].any()
            assert torch.equal(value[expected[layer]], official[name][expected[layer]])
        else:
            assert torch.equal(value, official[name])
    folded = fold(network)
    prune(folded)
    with torch.inference_mode():
        torch.testing.assert_close(network(pixels), before, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(folded(pixels), before, rtol=1e-4, atol=1e-6)
    assert multiply_adds(network) < 0.9 * cost


def test_a_network_without_relus_is_refused() -> None:
    with pytest.raises(FiqaError, match="has no ReLUs"):
        silence(fill(MobileFaceNet()), batches(), CPU)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A network as a training writes it, in half precision but for its last layer."""
    folder = tmp_path / "mine"
    folder.mkdir()
    weights = quiet(EDifFIQANetwork(MobileFaceNet())).state_dict()
    save_file(
        {
            name: value if name.startswith("mlp") else value.half()
            for name, value in weights.items()
            if not name.endswith("num_batches_tracked")
        },
        folder / "model.safetensors",
        {"format": "pt", "name": "mine"},
    )
    return folder


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    folder = tmp_path / "faces" / "someone"
    folder.mkdir(parents=True)
    for number, crop in enumerate(crops()):
        Image.fromarray(crop).save(folder / f"{number}.png")
    return folder.parent


def test_a_file_scores_the_same_with_less(model: Path, faces: Path, tmp_path: Path) -> None:
    whole = load_file(model / "model.safetensors")
    output = tmp_path / "pruned.safetensors"
    found = silence_file(model, [faces], CPU, output, copies=1, seed=3)
    assert found.pictures == 8
    assert found.after < 0.9 * found.before
    kept, written = load_file(model / "model.safetensors"), load_file(output)
    assert all(torch.equal(kept[name], value) for name, value in whole.items())
    assert {name: value.dtype for name, value in written.items()} == {
        name: value.dtype for name, value in whole.items()
    }
    changed = [name for name in whole if not torch.equal(whole[name], written[name])]
    assert changed
    assert all(name.endswith((".bn.weight", ".bn.bias")) for name in changed)
    with safe_open(output, "pt") as file:
        assert file.metadata()["name"] == "mine"

    pictures = Pictures(open_crops([faces]), 1, 3).read(range(8))
    batch = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    before, after = (
        load_method(str(path), CPU, Precision.FP32).method.score(batch).quality
        for path in (model, output)
    )
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-6)

    silence_file(model, [faces], CPU, copies=1, seed=3)
    again = load_file(model / "model.safetensors")
    assert all(torch.equal(again[name], value) for name, value in written.items())


def test_a_share_is_left_of_what_it_was_before(model: Path, faces: Path, tmp_path: Path) -> None:
    file, output = tmp_path / "quiet.safetensors", tmp_path / "less.safetensors"
    found = silence_file(model, [faces], CPU, file, copies=0)
    leave = found.after / found.before
    # Where the silent channels are enough, no others go.
    silence_file(model, [faces], CPU, output, leave=leave, copies=0)
    kept, quietened = load_file(output), load_file(file)
    assert all(torch.equal(kept[name], value) for name, value in quietened.items())
    less = silence_file(model, [faces], CPU, output, leave=leave - 0.02, copies=0)
    assert (less.layers, less.before) == (found.layers, found.before)
    assert leave - 0.04 < less.after / less.before <= leave - 0.02


def test_nothing_is_weighed_where_training_would_wake_it(model: Path, faces: Path) -> None:
    file = model / "model.safetensors"
    weights = load_file(file)
    weights["base_model.conv_3.model.1.conv.prelu.weight"] += 0.25
    save_file(weights, file)
    with pytest.raises(FiqaError, match="--leave is for"):
        silence_file(model, [faces], CPU, leave=0.9, copies=0)
    assert silence_file(model, [faces], CPU, copies=0).pictures == 4


def test_a_folder_that_is_not_there_is_told_before_anything_is_read(
    model: Path, tmp_path: Path
) -> None:
    with pytest.raises(FiqaError, match="there is no folder"):
        silence_file(model, [tmp_path / "absent"], CPU, tmp_path / "gone" / "n.safetensors")


def test_weights_of_another_kind_are_left_alone(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(FiqaError, match="there is no model"):
        silence_file(tmp_path / "absent", [faces], CPU)
    file = tmp_path / "r.safetensors"
    network = fill(EDifFIQANetwork(MobileFaceNet()))
    save_file({f"module.{name}": value for name, value in network.state_dict().items()}, file)
    with pytest.raises(FiqaError, match="other names than"):
        silence_file(file, [faces], CPU)
