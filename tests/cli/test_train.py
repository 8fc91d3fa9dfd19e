from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.command import fiqa
from fiqa_cli.cli.train import app
from fiqa_cli.methods.precision import Precision
from fiqa_cli.training.calibration import Scale
from fiqa_cli.training.detector.recipe import DetectorRecipe
from fiqa_cli.training.diffusion import DiffusionRecipe
from fiqa_cli.training.distill_recipe import DistillRecipe, Head, Loss
from fiqa_cli.training.recogniser import RecogniserRecipe
from fiqa_cli.training.schedule import Decay
from fiqa_cli.training.silent_channels import Silenced

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
RECIPES = {
    each.command: each
    for each in (DistillRecipe, RecogniserRecipe, DiffusionRecipe, DetectorRecipe)
}
TOLD_IN_WORDS = {"distill": {"theta", "recogniser"}}


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would be trained: recipe, folder and options of each call."""
    calls: list[tuple[Any, ...]] = []

    def record(recipe: object, out: Path, device: object, **options: Any) -> Path:
        calls.append((recipe, out, options))
        return out / "model.safetensors"

    monkeypatch.setattr("fiqa_cli.training.session.train", record)
    return calls


def test_options_reach_the_recipe(trained: list[tuple[Any, ...]], tmp_path: Path) -> None:
    config = tmp_path / "r.toml"
    config.write_text('[distill]\nlabels = "r.csv"\nbatch = 7\nseed = 5\n')
    line = (
        f"distill a b.tar --config {config} --backbone fr-n --loss l1 --head linear --batch 8 "
        "--decay cosine --precision bf16 --mirror --thaw 3 --every 9 --half --device cpu -o out"
    )
    assert CliRunner().invoke(app, line.split()).exit_code == 0
    recipe, out, options = trained[0]
    assert recipe == DistillRecipe(
        data=("a", "b.tar"),
        labels="r.csv",
        backbone="fr-n",
        loss=Loss.L1,
        head=Head.LINEAR,
        batch=8,
        seed=5,
        decay=Decay.COSINE,
        precision=Precision.BF16,
        mirror=True,
        thaw=3,
    )
    assert out == Path("out")
    assert (options["every"], options["half"], options["workers"]) == (9, True, None)


def test_the_default_precision_of_this_machine_can_be_asked_for(
    trained: list[tuple[Any, ...]],
) -> None:
    line = "recogniser a --recogniser fr-n --precision auto --device cpu -q -o out"
    assert CliRunner().invoke(app, line.split()).exit_code == 0
    assert trained[0][0].precision in (Precision.FP32, Precision.BF16)
    assert trained[0][2]["observers"] == []


@pytest.mark.parametrize("name", RECIPES)
def test_every_option_has_help_and_every_number_of_a_recipe_an_option(name: str) -> None:
    params = {each.name: each for each in COMMANDS[name].params}
    assert all(getattr(each, "help", None) for each in params.values())
    # These have to be written in a file.
    in_file = {"diffusion": {"multipliers", "epochs"}}.get(name, set())
    assert {each.name for each in fields(RECIPES[name])} - params.keys() == in_file


@pytest.mark.parametrize("name", RECIPES)
def test_the_defaults_in_the_help_are_those_of_the_recipe(name: str) -> None:
    for param in COMMANDS[name].params:
        shown = getattr(param, "show_default", False)
        field = RECIPES[name].__dataclass_fields__.get(param.name)
        if not isinstance(shown, str) or field is None or isinstance(field.default, bool):
            continue
        if param.name in TOLD_IN_WORDS.get(name, ()):
            continue
        if isinstance(field.default, float | int):
            assert float(shown) == field.default, param.name
        else:
            assert shown == field.default, param.name


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("train distill -o x", "nothing to train on"),
        ("train distill a --labels r.csv --backbone fr-n --loss l3 -o x", "one of optimised, l1"),
        ("train detector --teacher scrfd-n -o x", "nothing to train on: name a folder of photos"),
        ("train detector absent --teacher scrfd-n -o x", "no .jpg or .png photo in absent"),
        ("train detector . --teacher fr-n -o x", "fr-n is no detector"),
        ("train calibrate x a --recogniser fr-n --fnmr 0.4 --times 2", "exclude each other"),
        ("train calibrate x a --recogniser fr-n", "there is no model x"),
        ("train prune x a", "there is no model x"),
        (
            "train recogniser absent --recogniser fr-n -o x",
            "no folder, tar shard, .rec file or list absent",
        ),
    ],
)
def test_errors_are_one_line(line: str, told: str, tmp_path: Path) -> None:
    done = fiqa(*line.split(), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == b""
    assert told in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_options_reach_the_recipe_of_a_detector(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[tuple[Any, ...]] = []

    def record(recipe: object, out: Path, device: object, **options: Any) -> Path:
        calls.append((recipe, out, options["every"], options["observers"]))
        return out / "det_model.onnx"

    monkeypatch.setattr("fiqa_cli.training.detector.session.train_detector", record)
    config = tmp_path / "r.toml"
    config.write_text('[detector]\nteacher = "t.onnx"\nsteps = 70\nheld-out = 0.2\n')
    line = (
        f"detector photos --config {config} --crops faces --steps 90 --batch 4 "
        "--every 9 --monitored 0 --false-alarms 0.1 --seed 3 --device cpu -q -o out"
    )
    assert CliRunner().invoke(app, line.split()).exit_code == 0
    recipe = DetectorRecipe(
        photos="photos",
        teacher="t.onnx",
        crops="faces",
        steps=90,
        batch=4,
        held_out=0.2,
        monitored=0.0,
        false_alarms=0.1,
        seed=3,
    )
    assert calls == [(recipe, Path("out"), 9, [])]


def test_a_scale_is_told_and_written_into_the_card(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[dict[str, Any]] = []

    def record(model: Path, data: object, recogniser: str, device: object, **options: Any) -> Any:
        calls.append({"model": model, "data": data, "recogniser": recogniser, **options})
        return SimpleNamespace(scale=Scale(2.0, -0.5))

    monkeypatch.setattr("fiqa_cli.training.scaling.calibrate", record)
    monkeypatch.setattr("fiqa_cli.training.scale_card.scale_section", lambda found: "## Scale\n")
    card = tmp_path / "README.md"
    card.write_text("# mine\n")
    line = f"calibrate {tmp_path} a b.tar --recogniser fr-n --held-out 4 --times 3 --device cpu -q"
    dry = CliRunner().invoke(app, [*line.split(), "--dry-run"])
    assert (dry.exit_code, dry.stdout, card.read_text()) == (0, "## Scale\n", "# mine\n")
    assert "nothing was changed: 2 * quality - 0.5" in dry.stderr
    assert CliRunner().invoke(app, line.split()).exit_code == 0
    assert card.read_text() == "# mine\n\n## Scale\n"
    assert [call["write"] for call in calls] == [False, True]
    assert calls[1] | {"write": None, "advance": None} == {
        "model": tmp_path,
        "data": [Path("a"), Path("b.tar")],
        "recogniser": "fr-n",
        "fnmr": None,
        "times": 3.0,
        "fmr": 1e-3,
        "top": 0.99,
        "held_out": 4,
        "copies": 2,
        "seed": 1,
        "write": None,
        "advance": None,
    }


def test_what_was_pruned_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    def record(model: Path, data: object, device: object, output: object, **options: Any) -> Any:
        asked = (options["leave"], options["copies"], options["seed"])
        calls.append((model, data, output, *asked))
        layers = {"conv1": (16, 64), "conv_23.conv": (11, 128)}
        return Silenced(layers, pictures=40, before=201_000_000, after=150_750_000)

    monkeypatch.setattr("fiqa_cli.training.silent_channels.silence_file", record)
    line = "prune m a b.tar -o n.safetensors --leave 0.9 --copies 3 --seed 7 --device cpu -q"
    done = CliRunner().invoke(app, line.split())
    assert done.exit_code == 0
    assert done.stdout == "conv1: 16 of 64\nconv_23.conv: 11 of 128\n"
    told = "n.safetensors: 150.8 million multiply-adds a crop, 25.0% fewer than 201.0"
    assert told in done.stderr
    assert calls == [(Path("m"), [Path("a"), Path("b.tar")], Path("n.safetensors"), 0.9, 3, 7)]
