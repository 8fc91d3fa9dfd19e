"""Options that the commands of `fiqa train` share."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fiqa_cli.methods.precision import Precision

LEARNING, LABELS, NETWORK, MACHINE = "Learning", "Labels", "Network", "Machine"


def option(panel: str, text: str, default: object = None, *names: str, **more: Any) -> Any:
    """An option of a recipe: `None` where it is not given, whatever its default there."""
    shown = False if default is None else str(default)
    return typer.Option(*names, rich_help_panel=panel, help=text, show_default=shown, **more)


Data = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FOLDER|TAR|REC|LIST...",
        help="Aligned 112x112 faces: folders or tar shards of identity/name.jpg, InsightFace's "
        ".rec, or files with the columns path and identity.",
        show_default=False,
    ),
]
Trained = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="Folder that 'fiqa train distill' wrote, or its safetensors file."
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Folder of the model; a run that was stopped goes on there.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="TOML with any of these options; those given here win."),
]
Epochs = Annotated[float | None, option(LEARNING, "How often each picture is seen.")]
Steps = Annotated[int | None, option(LEARNING, "Batches to train on, in place of epochs.", min=1)]
Batch = Annotated[int | None, option(LEARNING, "Pictures of a step, over all GPUs.", min=1)]
Accumulate = Annotated[
    int | None,
    option(LEARNING, "Parts in which a batch is computed: more need less memory.", min=1),
]
WarmUp = Annotated[
    int | None, option(LEARNING, "Steps in which the rates rise from nothing.", min=0)
]
Decay = Annotated[str | None, option(LEARNING, "Course of the rates.", metavar="constant|cosine")]
Average = Annotated[
    float | None, option(LEARNING, "Decay of the average of the weights that is kept; 0: none.")
]
WeightDecay = Annotated[float | None, option(LEARNING, "Weight decay (AdamW).", min=0.0)]
Clip = Annotated[
    float | None, option(LEARNING, "Longest gradient; 0: no gradient is shortened.", min=0.0)
]
Seed = Annotated[
    int | None, option(LEARNING, "Of the order, the degradations and fresh weights.", 1)
]
Copies = Annotated[int | None, option(LEARNING, "Degraded copies of each image.", min=0)]
HeldOut = Annotated[
    int | None,
    option(LEARNING, "Identities that are watched and not trained on.", 0, min=0),
]
PrecisionOption = Annotated[
    Precision | None,
    option(MACHINE, "Arithmetic of the passes: fp32, bf16 or fp16.", "fp32"),
]
Device = Annotated[
    str,
    typer.Option(
        envvar="FIQA_DEVICE", rich_help_panel=MACHINE, help="auto, cpu, cuda, cuda:1 or mps."
    ),
]
Workers = Annotated[
    int | None,
    option(MACHINE, "Threads that read and degrade images; one per core.", min=1),
]
Every = Annotated[
    int, typer.Option(min=1, rich_help_panel=MACHINE, help="Steps between checkpoints.")
]
Half = Annotated[
    bool, typer.Option("--half", rich_help_panel=MACHINE, help="Write the weights in fp16.")
]
Board = Annotated[
    Path | None,
    typer.Option(metavar="DIR", rich_help_panel=MACHINE, help="Write for TensorBoard."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
