"""`fiqa merge`: the files of all shards of a run become that of the whole run."""

from pathlib import Path
from typing import Annotated

import typer

from fiqa_cli.cli.console import console
from fiqa_cli.cli.options import Format, Output, Quiet
from fiqa_cli.errors import FiqaError


def merge(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="The files of all shards, in any order, each beside its manifest.",
            show_default=False,
        ),
    ],
    output: Output = None,
    format: Format = None,
    quiet: Quiet = False,
) -> None:
    """Join the files of --shard, of 'fiqa score' or of 'fiqa embed', to that of the whole run.

    The rows come in the order that the whole run would have given them. Nothing is written
    unless all shards are there, each once, each done, all made with the same options and weights.

    Examples:

    fiqa merge scores-*-of-16.csv -o scores.csv

    fiqa merge scores-*-of-16.parquet | fiqa filter --min 0.5 --paths

    fiqa merge embeddings-*-of-16.parquet -o embeddings.parquet
    """
    from fiqa_cli.records.formats import output_format
    from fiqa_cli.records.manifest import write_manifest
    from fiqa_cli.records.merge import find_shards, merge_embeddings, merge_reports
    from fiqa_cli.records.readers import open_reader

    shards, manifest = find_shards(files)
    if output and any(output.resolve() == file.resolve() for file in files):
        raise FiqaError(f"{output} is a shard itself: write to another file")
    unordered = bool(manifest.options.get("unordered"))
    if manifest.model is None:
        if output is None or format:
            raise FiqaError("embeddings are merged into a file: name it with -o, without --format")
        merge_embeddings(shards, output, unordered=unordered)
    else:
        with open_reader(shards[0]) as reader:
            chosen = output_format(output, format, reader.format)
        merge_reports(shards, output, chosen, unordered=unordered)
    rows = sum(manifest.counts.values())
    if output:
        manifest.finish(manifest.counts)
        manifest.size = output.stat().st_size
        write_manifest(output, manifest)
    if not quiet:
        console.print(f"merged {rows:,} rows of {len(shards):,} shards")
