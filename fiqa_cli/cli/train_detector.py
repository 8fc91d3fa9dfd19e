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
            "Finds the faces to learn: a detector of 'fiqa models list', the folder of an "
            "insightface package, or an ONNX file.",
            autocompletion=models_of("detector"),
        ),
    ] = None,
    phases: Annotated[
        int | None,
        option(
            LEARNING,
            "How many of scrfd-n's phases: 1 to 3 learn the teacher's boxes; 4 imitates its "
            "features too (8 GB of them are kept); 5 repeats photos that fail; 6 pastes faces in "
            "(7 GB); 7 is 5 again; 8 makes the network wider and learns what the teacher answers "
            "everywhere; 9 does so on whole photos (7 GB), 10 on all sorts of pictures (12 GB), 11 "
            "with more blocks (16 GB). From 4 on the teacher is an SCRFD of insightface's.",
            3,
            min=1,
            max=11,
        ),
    ] = None,
    crops: Annotated[
        str | None,
        option(
            LEARNING,
            "Folder of aligned faces to be pasted, for phase 6 and later ones.",
            metavar="DIR",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        option(
            LEARNING,
            "Batches to train on in all phases, shared out as in the recipe of scrfd-n.",
            "13200 in 3 phases, 62500 in 11",
            min=1,
        ),
    ] = None,
    batch: Annotated[
        int | None,
        option(LEARNING, "Canvases of 320 pixels in a step; of larger ones fewer.", 16, min=1),
    ] = None,
    held_out: Annotated[
        float | None,
        option(LABELS, "Part of the photos on which the finished detector is measured.", 0.1),
    ] = None,
    monitored: Annotated[
        float | None,
        option(LABELS, "Part of the photos that decides which raw score becomes 0.5.", 0.05),
    ] = None,
    false_alarms: Annotated[
        float | None,
        option(LABELS, "Most false boxes a monitored photo at a score of 0.5.", 0.05, min=0.0),
    ] = None,
    seed: Annotated[
        int | None, option(LEARNING, "Of the fresh weights and the canvases.", 2026)
    ] = None,
    device: Device = "auto",
    every: Every = 200,
    tensorboard: Board = None,
    quiet: Quiet = False,
) -> None:
    """A face detector with landmarks that learns from another one's boxes.

    The folder of -o becomes an insightface package, its convolutions in integers. The defaults
    train the network of scrfd-n in its first three phases.

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
