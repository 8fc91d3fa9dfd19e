"""`fiqa score`: images in, one row per face out."""

import time
from typing import Annotated

import typer

from fiqa_cli.cli.console import note
from fiqa_cli.cli.options import REPORT, Format, Output, Quiet
from fiqa_cli.errors import FiqaError
from fiqa_cli.faces.choice import FaceChoice
from fiqa_cli.methods.precision import Precision
from fiqa_cli.methods.settings import Settings

SOME_FAILED = 1
FACES, METHOD, MACHINE = "Faces", "Method (DifFIQA, FaceQAN)", "Machine"


def score(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE|FOLDER|@LIST|-",
            help="Images, folders (searched recursively), @LIST files of paths, - for paths on "
            "standard input.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            envvar="FIQA_MODEL",
            help="A quality model of 'fiqa models list', or a weights file.",
        ),
    ] = "ediffiqa-n",
    null: Annotated[
        bool, typer.Option("--null", "-0", help="Paths in lists end with NUL, not line feed.")
    ] = False,
    aligned: Annotated[
        bool,
        typer.Option(
            "--aligned",
            rich_help_panel=FACES,
            help="The images are aligned 112x112 crops: no detection.",
        ),
    ] = False,
    detector: Annotated[
        str,
        typer.Option(
            envvar="FIQA_DETECTOR",
            rich_help_panel=FACES,
            help="A detector of 'fiqa models list', or the folder of an insightface package.",
        ),
    ] = "scrfd-n",
    faces: Annotated[
        FaceChoice,
        typer.Option(
            rich_help_panel=FACES,
            help="All faces of an image, the one with the largest box, or the surest one.",
        ),
    ] = FaceChoice.ALL,
    min_face: Annotated[
        int,
        typer.Option(
            min=0, metavar="PIXELS", rich_help_panel=FACES, help="Do not score narrower boxes."
        ),
    ] = 0,
    det_size: Annotated[
        int,
        typer.Option(
            metavar="PIXELS",
            rich_help_panel=FACES,
            help="Images are scaled to this for detection; a multiple of 32.",
        ),
    ] = 640,
    det_threshold: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, rich_help_panel=FACES, help="Least score of a face."),
    ] = 0.5,
    recogniser: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=METHOD,
            help="A recogniser of 'fiqa models list', or a weights file.",
            show_default="the model's own",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(rich_help_panel=METHOD, help="Of the noise.", show_default="0"),
    ] = None,
    copies: Annotated[
        int | None,
        typer.Option(
            min=1, rich_help_panel=METHOD, help="Noisy copies of each face.", show_default="10"
        ),
    ] = None,
    timestep: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=999,
            rich_help_panel=METHOD,
            help="DifFIQA: time step that faces are noised to.",
            show_default="5",
        ),
    ] = None,
    until_se: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="ERROR",
            rich_help_panel=METHOD,
            help="DifFIQA: no more copies of a face whose standard error is below ERROR.",
        ),
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option(
            min=1, rich_help_panel=METHOD, help="FaceQAN: steps of the attack.", show_default="5"
        ),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            rich_help_panel=METHOD,
            help="FaceQAN: size of a step, of pixels in [0, 1].",
            show_default="0.001",
        ),
    ] = None,
    exponent: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            rich_help_panel=METHOD,
            help="FaceQAN: power that the quality is raised to.",
            show_default="5",
        ),
    ] = None,
    output: Output = None,
    format: Format = None,
    details: Annotated[
        bool,
        typer.Option(
            "--details",
            rich_help_panel=REPORT,
            help="More columns: the landmarks, and the method's components.",
        ),
    ] = False,
    quiet: Quiet = False,
    device: Annotated[
        str,
        typer.Option(
            envvar="FIQA_DEVICE", rich_help_panel=MACHINE, help="auto, cpu, cuda, cuda:1 or mps."
        ),
    ] = "auto",
    precision: Annotated[
        Precision,
        typer.Option(
            envvar="FIQA_PRECISION",
            rich_help_panel=MACHINE,
            help="fp32 is exact; auto takes bf16 where the device computes it natively.",
        ),
    ] = Precision.AUTO,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, rich_help_panel=MACHINE, help="Faces scored at once."),
    ] = None,
    compile: Annotated[
        bool,
        typer.Option(
            "--compile",
            rich_help_panel=MACHINE,
            help="Compile the networks first: a minute that pays on a GPU and many faces.",
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, rich_help_panel=MACHINE, help="Threads that read and detect; one per core."
        ),
    ] = None,
) -> None:
    """Score how useful each face will be to a recogniser; higher is better.

    One row per face, and one for each image without any. Nothing is downloaded.

    Examples:

    fiqa score photos -o scores.csv

    find . -name '*.jpg' -print0 | fiqa score -0 - | fiqa filter --min 0.5 --paths
    """
    if not inputs:
        raise FiqaError("nothing to score: name images or folders, or - for paths on stdin")
    from fiqa_cli.cli.progress import summarise, watch
    from fiqa_cli.pipeline.scorer import ScoreOptions, Scorer
    from fiqa_cli.pipeline.tally import Tally
    from fiqa_cli.records.formats import output_format
    from fiqa_cli.records.manifest import write_manifest
    from fiqa_cli.records.writers import open_writer
    from fiqa_cli.sources.listing import expand

    chosen = output_format(output, format)
    options = ScoreOptions(
        model=model,
        aligned=aligned,
        detector=detector,
        faces=faces,
        min_face=min_face,
        det_size=det_size,
        det_threshold=det_threshold,
        details=details,
        device=device,
        precision=precision,
        batch_size=batch_size,
        workers=workers,
        settings=Settings(
            recogniser=recogniser,
            seed=seed,
            copies=copies,
            timestep=timestep,
            until_se=until_se,
            iterations=iterations,
            epsilon=epsilon,
            exponent=exponent,
            compile=compile,
        ),
    )
    # A stream of our own for stdin: when a run is cut short a thread may still wait on it, and
    # Python's own must not be held at exit.
    stdin = open(0, "rb", closefd=False) if "-" in inputs else None  # noqa: SIM115
    entries = expand(inputs, null, stdin)
    scorer = Scorer(options, warn=note)
    manifest = scorer.manifest()
    tally = Tally()
    begun = time.monotonic()
    rows = scorer.score(entries)
    if not quiet and chosen != "table":
        rows = watch(rows, tally, None if stdin else lambda: sum(1 for _ in expand(inputs, null)))
    try:
        if output is not None:
            write_manifest(output, manifest)
        with open_writer(output, chosen, scorer.columns) as writer:
            for row in rows:
                tally.count(row)
                writer.write([row])
        manifest.finish(tally.statuses)
    finally:
        if output is not None:
            manifest.counts = dict(tally.statuses)
            write_manifest(output, manifest)
    if not quiet:
        summarise(tally, time.monotonic() - begun)
    if tally.failed:
        raise typer.Exit(SOME_FAILED)
