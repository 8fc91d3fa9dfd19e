"""`fiqa train calibrate`."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from fiqa_cli.cli.completion import models_of
from fiqa_cli.cli.console import console, note
from fiqa_cli.cli.train_options import Device, Quiet, Trained

SCALE = "Scale"


def calibrate(
    model: Trained,
    faces: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER|TAR|REC|LIST...",
            help="Aligned faces in identities, as for training: others than those trained on.",
        ),
    ],
    recogniser: Annotated[
        str,
        typer.Option(
            help="Whose misses count: of 'fiqa models list' or a file; raw:FILE.onnx tells the "
            "pixels.",
            autocompletion=models_of("recogniser"),
        ),
    ],
    held_out: Annotated[
        int,
        typer.Option(
            min=0,
            help="Take only the identities that a training with as many --held-out, and the same "
            "--seed, did not see; 0: all.",
        ),
    ] = 0,
    seed: Annotated[
        int, typer.Option(help="Of the held-out identities and of the degradations.")
    ] = 1,
    copies: Annotated[
        int, typer.Option(min=0, help="Degraded copies of each face: they show the lower end.")
    ] = 2,
    fnmr: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            rich_help_panel=SCALE,
            help="Part of the mated pairs that is missed where the worse face is of quality 0.5.",
            show_default="0.5",
        ),
    ] = None,
    times: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            rich_help_panel=SCALE,
            help="In place of --fnmr: so many times the FNMR over all pairs of undegraded faces.",
            show_default=False,
        ),
    ] = None,
    fmr: Annotated[
        float,
        typer.Option(rich_help_panel=SCALE, help="False match rate that sets the threshold."),
    ] = 1e-3,
    top: Annotated[
        float,
        typer.Option(
            min=0.5,
            max=1.0,
            rich_help_panel=SCALE,
            help="Part of the undegraded faces that stays below 1.",
        ),
    ] = 0.99,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell the scale and change nothing.")
    ] = False,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Give a trained quality model a scale on which 0.5 says something.

    0.5 becomes the quality at which the recogniser misses every second pair, and 1 that of the best
    faces, by an affine change of the last layer: rankings stay as they are. Prints the section
    about the scale for the model card, and writes it there if there is one.

    Example:

    fiqa train calibrate ./my-model faces --held-out 40 --recogniser ./my-recogniser.onnx
    """
    from fiqa_cli.errors import FiqaError
    from fiqa_cli.methods.device import find_device
    from fiqa_cli.training.reporting import on_preparation, silent
    from fiqa_cli.training.scale_card import insert_section, scale_section
    from fiqa_cli.training.scaling import calibrate as calibrate_model

    if fnmr is not None and times is not None:
        raise FiqaError("--fnmr and --times exclude each other: give one")
    with nullcontext(silent) if quiet else on_preparation(console) as advance:
        found = calibrate_model(
            model,
            faces,
            recogniser,
            find_device(device),
            fnmr=fnmr,
            times=times,
            fmr=fmr,
            top=top,
            held_out=held_out,
            copies=copies,
            seed=seed,
            write=not dry_run,
            advance=advance,
        )
    section = scale_section(found)
    card = model / "README.md"
    if card.is_file() and not dry_run:
        insert_section(card, section)
    typer.echo(section, nl=False)
    told = "nothing was changed" if dry_run else f"{model} is on this scale now"
    sign = "-" if found.scale.offset < 0 else "+"
    note(f"{told}: {found.scale.slope:.6g} * quality {sign} {abs(found.scale.offset):.6g}")
