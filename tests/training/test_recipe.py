from pathlib import Path

import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.precision import Precision
from fiqa_cli.training.diffusion import DiffusionRecipe
from fiqa_cli.training.distill_recipe import DistillRecipe, Loss
from fiqa_cli.training.recipe import make_recipe, to_toml
from fiqa_cli.training.recogniser import RecogniserRecipe
from fiqa_cli.zoo.builtin import weights_folder

GIVEN = {"data": ["faces"], "labels": "r.csv", "backbone": "fr-n"}


def config(folder: Path, text: str) -> Path:
    file = folder / "recipe.toml"
    file.write_text(text)
    return file


def test_the_default_is_the_official_recipe() -> None:
    recipe = make_recipe(DistillRecipe, None, GIVEN)
    assert (recipe.best, recipe.fewest, recipe.epsilon, recipe.consistency) == (0.2, 10, 0.5, 0.5)
    assert (recipe.head_rate, recipe.backbone_rate, recipe.clip) == (1e-3, 1e-4, 5.0)
    assert (recipe.epochs, recipe.batch, recipe.validation, recipe.trained) == (3, 128, 0.1, 100)
    plain = make_recipe(DistillRecipe, None, {**GIVEN, "loss": "l1", "head": "linear"})
    assert plain.consistency == 0


def test_options_win_over_the_file_and_that_over_the_default(tmp_path: Path) -> None:
    file = config(
        tmp_path, '[distill]\nbatch = 32\nhead-rate = 1\nloss = "l1"\ndata = ["a", "b"]\n'
    )
    given = {"labels": "r.csv", "backbone": "fr-n", "batch": 8, "seed": None, "data": None}
    recipe = make_recipe(DistillRecipe, file, given)
    assert (recipe.batch, recipe.head_rate, recipe.loss) == (8, 1.0, Loss.L1)
    assert (recipe.data, recipe.seed) == (("a", "b"), 1)


@pytest.mark.parametrize(
    "recipe",
    [
        DistillRecipe(data=('a "b"', "ü"), labels="r.csv", backbone="x", precision=Precision.BF16),
        RecogniserRecipe(data=("a",), recogniser="t", average=0.5),
        DiffusionRecipe(data=("a",), multipliers=(1, 2), identity=True),
    ],
)
def test_a_recipe_survives_its_file(recipe: object, tmp_path: Path) -> None:
    assert make_recipe(type(recipe), config(tmp_path, to_toml(recipe)), {}) == recipe  # type: ignore[arg-type,type-var]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[distill", "is no TOML"),
        ("[recogniser]\n", r"has to hold the table \[distill\]"),
        ("[distill]\nrate = 1.0\n", "there is no rate; there are accumulate, "),
        ("[distill]\nbatch = 1.5\n", "batch is 1.5, and should be int"),
        ("[distill]\nbatch = true\n", "batch is True, and should be int"),
        ("[distill]\nmirror = 1\n", "mirror is 1, and should be bool"),
        ('[distill]\ndata = "faces"\n', "data is 'faces', and should be a list of str"),
        ('[distill]\nloss = "l2"\n', "loss is one of optimised, l1, not 'l2'"),
    ],
)
def test_files_that_are_no_recipe_are_told(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FiqaError, match=message):
        make_recipe(DistillRecipe, config(tmp_path, text), GIVEN)


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(FiqaError, match="nothing to train on"):
        make_recipe(DistillRecipe, None, {**GIVEN, "data": None})
    with pytest.raises(FiqaError, match="--labels is missing"):
        make_recipe(DistillRecipe, None, {**GIVEN, "labels": None})
    with pytest.raises(FiqaError, match="--loss is one of optimised, l1"):
        make_recipe(DistillRecipe, None, {**GIVEN, "loss": "l3"})
    with pytest.raises(FiqaError, match="cannot read"):
        make_recipe(DistillRecipe, tmp_path / "absent.toml", GIVEN)


@pytest.mark.parametrize(
    ("name", "kind", "copies"),
    [
        ("ediffiqa-n-first", DistillRecipe, 2),
        ("ediffiqa-n-second", DistillRecipe, 1),
        ("ediffiqa-n", DistillRecipe, 1),
        ("fr-n", RecogniserRecipe, 2),
        ("unet-n", DiffusionRecipe, 2),
    ],
)
def test_the_recipes_of_the_built_in_models_can_be_read(name: str, kind: type, copies: int) -> None:
    recipe = make_recipe(kind, weights_folder() / f"{name}.toml", {})
    assert (recipe.seed, recipe.copies, recipe.held_out, recipe.batch) == (1, copies, 40, 16)
