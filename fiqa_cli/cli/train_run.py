"""What the commands of `fiqa train` do with their options."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiqa_cli.cli.console import console, note
from fiqa_cli.methods.precision import Precision

if TYPE_CHECKING:
    from fiqa_cli.training.loop import Report
    from fiqa_cli.training.session import Recipe


def given(kind: type[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a command's `options` that are a recipe's."""
    return {name: value for name, value in options.items() if name in kind.__dataclass_fields__}


def observe(
    stack: ExitStack, quiet: bool, tensorboard: Path | None
) -> "list[Callable[[Report], None]]":
    """Those who follow a training: people on the standard error, and TensorBoard."""
    from fiqa_cli.training.reporting import on_console, on_tensorboard

    observers = [] if quiet else [stack.enter_context(on_console(console))]
    if tensorboard:
        observers.append(stack.enter_context(on_tensorboard(tensorboard)))
    return observers


def say_ready(file: Path, output: Path, quiet: bool) -> None:
    """Tell people where the result is."""
    if not quiet:
        told = f"{file} is ready; see {output / 'README.md'}"
        console.print(told, markup=False, soft_wrap=True)


def run_training(kind: "type[Recipe]", options: Mapping[str, Any]) -> None:
    """Make the recipe of all `options` of a command, and train by it."""
    from fiqa_cli.methods.device import find_device
    from fiqa_cli.methods.precision import find_precision
    from fiqa_cli.training.parallel import is_first
    from fiqa_cli.training.recipe import make_recipe
    from fiqa_cli.training.session import train

    settings = given(kind, options)
    settings["data"] = options["data"] or None
    device = find_device(options["device"])
    if settings["precision"] is Precision.AUTO:
        settings["precision"] = find_precision(Precision.AUTO, device)
    recipe = make_recipe(kind, options["config"], settings)
    out: Path = options["output"]
    quiet = options["quiet"] or not is_first()
    with ExitStack() as stack:
        file = train(
            recipe,
            out,
            device,
            workers=options["workers"],
            every=options["every"],
            half=options["half"],
            observers=observe(stack, quiet, options["tensorboard"] if is_first() else None),
            notify=note,
        )
    say_ready(file, out, quiet)
