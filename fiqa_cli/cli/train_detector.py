"""`fiqa train detector`."""

from contextlib import ExitStack
from typing import Annotated

import typer

from fiqa_cli.cli.completion import models_of
from fiqa_cli.cli.console import console, note
from fiqa_cli.cli.train_options import (
    LABELS,
    LEARNING,
    Board,
    Config,
    Device,
    Every,
    Output,
    Quiet,
    option,
)
from fiqa_cli.cli.train_run import given, observe, say_ready


def detector(
    output: Output,
    photos: Annotated[
        str | None,
        typer.Argument(
            metavar="FOLDER",
            help="Photos with faces (JPEG or PNG), searched recursively; held in memory.",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
    teacher: Annotated[
        str | None,
        option(
            LABELS,
            "Is learnt from: a detector of 'fiqa models list', the folder of an "
            "insightface package, or an ONNX file.",
            autocompletion=models_of("detector"),
        ),
    ] = None,
    crops: Annotated[
        str | None,
        option(
            LEARNING,
            "Folder of aligned faces, to be pasted beside those of the photos.",
            metavar="DIR",
        ),
    ] = None,
    steps: Annotated[int | None, option(LEARNING, "Batches to train on.", 12_000, min=1)] = None,
    batch: Annotated[
        int | None,
        option(LEARNING, "Canvases of 320 pixels in a step; of larger ones fewer.", 8, min=1),
    ] = None,
    held_out: Annotated[
        float | None,
        option(LABELS, "Part of the photos on which the finished detector is measured.", 0.1),
    ] = None,
    monitored: Annotated[
        float | None,
        option(
            LABELS,
            "Part of the photos that tells, with some trained on, which raw score becomes 0.5.",
            0.05,
        ),
    ] = None,
    false_alarms: Annotated[
        float | None,
        option(LABELS, "Most false boxes a photo at a score of 0.5.", 0.05, min=0.0),
    ] = None,
    seed: Annotated[
        int | None, option(LEARNING, "Of the fresh weights and the canvases.", 2026)
    ] = None,
    device: Device = "auto",
    every: Every = 200,
    tensorboard: Board = None,
    quiet: Quiet = False,
) -> None:
    """A face detector with landmarks that learns what another one makes of your photos.

    The folder of -o becomes an insightface package, its convolutions in integers. From an SCRFD
    with residual blocks (insightface's of 2.5 GFLOP and more) it learns part by part, from any
    other detector its answers alone, which takes longer.

    Examples:

    fiqa train detector photos --teacher buffalo_l -o my-detector

    fiqa score photos --detector ./my-detector
    """
    from fiqa_cli.methods.device import find_device
    from fiqa_cli.training.detector.recipe import DetectorRecipe
    from fiqa_cli.training.detector.session import train_detector
    from fiqa_cli.training.recipe import make_recipe
    from fiqa_cli.training.reporting import on_preparation, silent

    recipe = make_recipe(DetectorRecipe, config, given(DetectorRecipe, locals()))
    with ExitStack() as stack:
        observers = observe(stack, quiet, tensorboard)
        file = train_detector(
            recipe,
            output,
            find_device(device),
            every=every,
            observers=observers,
            notify=(lambda line: None) if quiet else note,
            advance=silent if quiet else stack.enter_context(on_preparation(console)),
        )
    say_ready(file, output, quiet)
