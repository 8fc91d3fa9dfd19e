"""What the help says of defaults, against the library that has them."""

from dataclasses import fields
from inspect import signature

import pytest
import typer

from fiqa_cli.cli.main import app
from fiqa_cli.methods.diffiqa import DifFIQA, Diffusion
from fiqa_cli.methods.faceqan import Attack, FaceQAN
from fiqa_cli.methods.settings import ACCEPTED, Settings
from fiqa_cli.pipeline.dataset_embedder import EmbedOptions
from fiqa_cli.pipeline.scorer import ScoreOptions

COMMANDS = typer.main.get_command(app).commands
SCORE = {option.name: option for option in COMMANDS["score"].params}


@pytest.mark.parametrize("parameters", [Diffusion(), Attack()])
def test_defaults_of_the_methods_are_those_in_the_help(parameters: Diffusion | Attack) -> None:
    for field in fields(parameters):
        value = getattr(parameters, field.name)
        assert SCORE[field.name].default is None
        told = SCORE[field.name].show_default
        assert value is None or float(told) == value, field.name


@pytest.mark.parametrize("method", [DifFIQA, FaceQAN])
def test_the_default_seed_is_that_in_the_help(method: type) -> None:
    assert SCORE["seed"].default is None
    assert SCORE["seed"].show_default == str(signature(method).parameters["seed"].default)


def test_every_setting_is_an_option_and_has_a_method() -> None:
    names = {field.name for field in fields(Settings)}
    assert names <= SCORE.keys()
    assert names == frozenset().union(*ACCEPTED.values())


@pytest.mark.parametrize(
    ("command", "options"), [("score", ScoreOptions()), ("embed", EmbedOptions())]
)
def test_defaults_of_the_library_are_those_of_the_command(
    command: str, options: ScoreOptions | EmbedOptions
) -> None:
    found = {option.name: option.default for option in COMMANDS[command].params}
    for field in fields(options):
        if field.name != "settings":
            assert found[field.name] == getattr(options, field.name), field.name
