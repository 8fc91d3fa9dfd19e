"""`fiqa embed`: images in, one embedding per face out."""

import time
from pathlib import Path
from typing import Annotated

import typer

from fiqa_cli.cli.completion import models_of
from fiqa_cli.cli.console import note
from fiqa_cli.cli.options import (
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
    Every,
    Faces,
    Inputs,
    MinFace,
    Null,
    Offline,
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


def embed(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            rich_help_panel=REPORT,
            help="Where to: .npz, which is kept in memory until the end, or .parquet, which is "
            "not; and FILE.manifest.json.",
        ),
    ],
    inputs: Inputs = None,
    null: Null = False,
    every: Every = None,
    offline: Offline = False,
    recogniser: Annotated[
        str,
        typer.Option(
            "--recogniser",
            "-r",
            rich_help_panel=RECOGNISER,
            autocompletion=models_of("recogniser"),
            help="A recogniser of 'fiqa models list', or a weights file, ONNX included.",
        ),
    ] = "fr-n",
    preprocessing: Preprocessing = None,
    with_flip: Annotated[
        bool,
        typer.Option(
            "--with-flip",
            rich_help_panel=RECOGNISER,
            help="Append the embedding of the mirrored crop.",
        ),
    ] = False,
    aligned: Aligned = False,
    detector: Detector = "scrfd-n",
    faces: Faces = FaceChoice.ALL,
    min_face: MinFace = 0,
    det_size: DetSize = 640,
    det_threshold: DetThreshold = 0.5,
    resume: Resume = False,
    unordered: Unordered = False,
    quiet: Quiet = False,
    device: Device = "auto",
    precision: Arithmetic = Precision.AUTO,
    batch_size: BatchSize = None,
    workers: Workers = None,
    decode_timeout: DecodeTimeout = 10.0,
    decode_memory: DecodeMemory = 2.0,
    shard: Shard = None,
) -> None:
    """Embed faces with a recogniser, to compare them or to evaluate a quality.

    Embeddings are not normalised: divide each by its norm before comparing.

    Exit code 1 if an image gave none; the file says which and why. Nothing is downloaded.

    Examples:

    fiqa embed crops --aligned -o embeddings.npz

    fiqa embed photos --faces largest --recogniser w600k_r50.onnx -o embeddings.parquet

    fiqa embed dataset -o embeddings.parquet --resume
    """
    if not inputs:
        raise FiqaError("nothing to embed: name images or folders, or - for paths on stdin")
    from fiqa_cli.cli.progress import summarise, watch
    from fiqa_cli.pipeline.dataset_embedder import DatasetEmbedder, EmbedOptions
    from fiqa_cli.pipeline.resumption import Resumption, take_up
    from fiqa_cli.pipeline.tally import Tally
    from fiqa_cli.records.embedding_journal import embedding_records, open_journalled_embeddings
    from fiqa_cli.records.embedding_writers import embedding_format
    from fiqa_cli.records.journal import cut_journal

    part = shard_of(shard, output)
    if part:
        output = part.name(output)
    format = embedding_format(output)
    options = EmbedOptions(
        recogniser=recogniser,
        preprocessing=preprocessing,
        with_flip=with_flip,
        aligned=aligned,
        detector=detector,
        faces=faces,
        min_face=min_face,
        det_size=det_size,
        det_threshold=det_threshold,
        device=device,
        precision=precision,
        batch_size=batch_size,
        workers=workers,
        unordered=unordered,
        decode_timeout=decode_timeout,
        decode_memory=decode_memory,
    )
    images = list_images(inputs, null, every, offline, part)
    embedder = DatasetEmbedder(options, warn=note)
    manifest = embedder.manifest()
    tally = Tally()
    if part:
        manifest.options["shard"] = str(part)
        if resume:
            skip_if_done(manifest, output)
    with held(output, format):
        left = Resumption(images.entries)
        if resume:
            left = take_up(
                output, format, embedder, manifest, images.entries, tally, embedding_records
            )
            manifest.started = left.started or manifest.started
        before = tally.images
        begun = time.monotonic()
        if left.complete:
            note(f"{output} is complete: nothing to do")
        else:
            found = embedder.embed(left.entries)
            if not quiet:
                found = watch(found, tally, images.count, "embedding")
            with (
                cut_journal(output, format, left.kept),
                recorded(manifest, tally, output, lambda: tally.barren),
                open_journalled_embeddings(
                    output, embedder.name, embedder.sha256, left.kept
                ) as writer,
            ):
                for row, embedding in while_there(found, output, format):
                    tally.count(row)
                    writer.write(row, embedding)
    if not quiet:
        summarise(tally, time.monotonic() - begun, before)
    if tally.barren:
        raise typer.Exit(SOME_FAILED)
