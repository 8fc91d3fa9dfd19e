"""`fiqa train prune`."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from fiqa_cli.cli.console import console, note
from fiqa_cli.cli.train_options import Device, Quiet, Trained


def prune(
    model: Trained,
    faces: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER|TAR|REC|LIST...", help="Aligned faces in identities, as for training."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Safetensors file for the new weights.",
            show_default="in their place",
        ),
    ] = None,
    leave: Annotated[
        float,
        typer.Option(
            min=0.1,
            max=1.0,
            metavar="SHARE",
            help="Of the multiply-adds: beyond the silent channels drop those that matter least to "
            "the quality, until no more are left. Qualities change: train on from the new weights, "
            "with --backbone.",
        ),
    ] = 1.0,
    copies: Annotated[
        int, typer.Option(min=0, help="Degraded copies of each face that are looked at, too.")
    ] = 4,
    seed: Annotated[int, typer.Option(help="Of the degradations.")] = 1,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Make a trained MobileFaceNet faster to score with; its qualities stay (without --leave).

    Channels that its ReLUs hold at 0 on all of these faces and their degraded copies become exactly
    0, and scoring on a CPU leaves them out. Prints how many they are in each layer.

    Example:

    fiqa train prune ./my-model faces
    """
    from fiqa_cli.methods.device import find_device
    from fiqa_cli.training.reporting import on_preparation, silent
    from fiqa_cli.training.silent_channels import silence_file

    with nullcontext(silent) if quiet else on_preparation(console) as advance:
        found = silence_file(
            model,
            faces,
            find_device(device),
            output,
            leave=leave,
            copies=copies,
            seed=seed,
            advance=advance,
        )
    for name, (count, channels) in found.layers.items():
        typer.echo(f"{name}: {count} of {channels}")
    note(
        f"{output or model}: {found.after / 1e6:.1f} million multiply-adds a crop, "
        f"{1 - found.after / found.before:.1%} fewer than {found.before / 1e6:.1f}"
    )
