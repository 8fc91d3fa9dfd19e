"""`fiqa score`: images in, one row per face out."""

import time
from typing import Annotated

import typer

from fiqa_cli.cli.completion import models_of
from fiqa_cli.cli.console import note
from fiqa_cli.cli.options import (
    MACHINE,
    MACHINES,
    RECOGNISER,
    REPORT,
    Aligned,
    Arithmetic,
    BatchSize,
    DecodeMemory,
    DecodeTimeout,
    Detector,
    DetSize,
    DetThreshold,
    Device,
    Engine,
    Every,
    Faces,
    Format,
    Inputs,
    MinFace,
    Null,
    Offline,
    Output,
    Preprocessing,
    Quiet,
    Resume,
    Shard,
    Unordered,
    Workers,
)
from fiqa_cli.cli.run import (
    SOME_FAILED,
    held,
    list_images,
    recorded,
    shard_of,
    skip_if_done,
    while_there,
)
from fiqa_cli.errors import FiqaError
from fiqa_cli.faces.choice import FaceChoice
from fiqa_cli.methods.precision import Precision
from fiqa_cli.methods.settings import Settings

METHOD = "Method (DifFIQA, FaceQAN)"


def score(
    inputs: Inputs = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            envvar="FIQA_MODEL",
            autocompletion=models_of("quality"),
            help="A quality model of 'fiqa models list', or a weights file.",
        ),
    ] = "ediffiqa-n",
    null: Null = False,
    every: Every = None,
    offline: Offline = False,
    aligned: Aligned = False,
    detector: Detector = "scrfd-n",
    faces: Faces = FaceChoice.ALL,
    min_face: MinFace = 0,
    det_size: DetSize = 640,
    det_threshold: DetThreshold = 0.5,
    recogniser: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=RECOGNISER,
            autocompletion=models_of("recogniser"),
            help="A recogniser of 'fiqa models list', or a weights file: for DifFIQA, FaceQAN and "
            "embedding-norm.",
            show_default="the model's own",
        ),
    ] = None,
    preprocessing: Preprocessing = None,
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
    resume: Resume = False,
    unordered: Unordered = False,
    details: Annotated[
        bool,
        typer.Option(
            "--details",
            rich_help_panel=REPORT,
            help="More columns: landmarks, pose, sharpness, light …, and the method's components.",
        ),
    ] = False,
    jitter: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            rich_help_panel=REPORT,
            help="Columns with mean and deviation of the quality of N copies, aligned by landmarks "
            "that move a little; N + 1 times the work.",
        ),
    ] = 0,
    quiet: Quiet = False,
    device: Device = "auto",
    precision: Arithmetic = Precision.AUTO,
    batch_size: BatchSize = None,
    compile: Annotated[
        bool,
        typer.Option(
            "--compile",
            rich_help_panel=MACHINE,
            help="Compile the networks first: a minute that pays on a GPU and many faces.",
        ),
    ] = False,
    workers: Workers = None,
    decode_timeout: DecodeTimeout = 10.0,
    decode_memory: DecodeMemory = 2.0,
    shard: Shard = None,
    engine: Annotated[
        Engine,
        typer.Option(
            rich_help_panel=MACHINES,
            help="Score in this process, or on a cluster by Ray Data (the extra 'ray').",
        ),
    ] = Engine.LOCAL,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="auto|local|HOST:PORT",
            rich_help_panel=MACHINES,
            help="Of Ray's head; auto is the cluster that this machine belongs to, local one that "
            "lives as long as the command.",
            show_default="RAY_ADDRESS, else local",
        ),
    ] = None,
    pool: Annotated[
        int | None,
        typer.Option(
            min=1,
            rich_help_panel=MACHINES,
            help="Ray: at most so many actors, each with a model of its own.",
            show_default="as many as there is room for",
        ),
    ] = None,
    gpus_per_worker: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="GPUS",
            rich_help_panel=MACHINES,
            help="Ray: what each actor reserves, beside a core for each of its --workers (4); "
            "0.5 for two on a GPU.",
            show_default="1 where the cluster has GPUs and --device lets it, else 0",
        ),
    ] = None,
) -> None:
    """Score how useful each face will be to a recogniser; higher is better.

    One row per face, and one for each image without any. Nothing is downloaded.

    Examples:

    fiqa score photos -o scores.csv

    find . -name '*.jpg' -print0 | fiqa score -0 - | fiqa filter --min 0.5 --paths

    fiqa score dataset -o scores.parquet --resume

    fiqa score shards/ s3://bucket/more/ clip.mp4 --every 1s -o scores.csv

    fiqa score dataset --shard 3/16 -o scores-{shard}.parquet --resume

    fiqa score dataset --engine ray --address auto -o scores.parquet
    """
    if not inputs:
        raise FiqaError("nothing to score: name images or folders, or - for paths on stdin")
    if resume and output is None:
        raise FiqaError("--resume goes on with a file: name it with -o")
    if engine is not Engine.RAY and (address or pool or gpus_per_worker is not None):
        raise FiqaError("--address, --pool and --gpus-per-worker are for --engine ray")
    from fiqa_cli.cli.progress import summarise, watch
    from fiqa_cli.pipeline.cluster import Cluster, ClusterScorer
    from fiqa_cli.pipeline.resumption import Resumption, take_up
    from fiqa_cli.pipeline.scorer import ScoreOptions, Scorer
    from fiqa_cli.pipeline.tally import Tally
    from fiqa_cli.records.formats import output_format
    from fiqa_cli.records.journal import cut_journal, open_journalled

    part = shard_of(shard, output)
    if part and output:
        output = part.name(output)
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
        jitter=jitter,
        device=device,
        precision=precision,
        batch_size=batch_size,
        workers=workers,
        unordered=unordered,
        decode_timeout=decode_timeout,
        decode_memory=decode_memory,
        settings=Settings(
            recogniser=recogniser,
            preprocessing=preprocessing,
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
    images = list_images(inputs, null, every, offline, part)
    scorer: Scorer | ClusterScorer
    if engine is Engine.RAY:
        scorer = ClusterScorer(options, Cluster(address, pool, gpus_per_worker), warn=note)
    else:
        scorer = Scorer(options, warn=note)
    manifest = scorer.manifest()
    tally = Tally()
    if part:
        manifest.options["shard"] = str(part)
        if resume and output is not None:
            skip_if_done(manifest, output)
    with held(output, chosen):
        left = Resumption(images.entries)
        if resume and output is not None:
            left = take_up(output, chosen, scorer, manifest, images.entries, tally)
            manifest.started = left.started or manifest.started
        before = tally.images
        begun = time.monotonic()
        if left.complete:
            note(f"{output} is complete: nothing to do")
        else:
            rows = scorer.score(left.entries)
            if not quiet and chosen != "table":
                rows = watch(rows, tally, images.count, "scoring")
            with (
                cut_journal(output, chosen, left.kept),
                recorded(manifest, tally, output, lambda: tally.failed),
                open_journalled(output, chosen, scorer.columns, left.kept) as writer,
            ):
                for row in while_there(rows, output, chosen):
                    tally.count(row)
                    writer.write([row])
    if not quiet:
        summarise(tally, time.monotonic() - begun, before)
    if tally.failed:
        raise typer.Exit(SOME_FAILED)
