"""The reports of all shards of a run, joined to that of the whole run."""

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import chain, count, islice
from pathlib import Path
from typing import TypeVar

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.durable import rename
from fiqa_cli.records.embedding_journal import embedded_rows
from fiqa_cli.records.embedding_writers import open_embedding_writer
from fiqa_cli.records.embeddings import made_by
from fiqa_cli.records.manifest import Manifest, difference, manifest_path, read_manifest
from fiqa_cli.records.readers import open_reader
from fiqa_cli.records.row import path_of
from fiqa_cli.records.units import numbered
from fiqa_cli.records.writers import SLICE, open_writer

Item = TypeVar("Item")

SHARD = "shard"
"""The option in the manifest of a shard, such as `3/16`."""

_MAY_DIFFER = (SHARD, "device", "engine")
"""What shards of one run need not share."""


def find_shards(files: Collection[Path]) -> tuple[list[Path], Manifest]:
    """All shards of one run among `files`, in their order, and the manifest of the whole run.

    Raises `FiqaError` unless each shard is there once, whole, and made as the others were.
    """
    shards: dict[int, tuple[Path, Manifest]] = {}
    counts: set[int] = set()
    for file in files:
        manifest = _finished(file)
        number, count = map(int, manifest.options[SHARD].split("/"))
        if number in shards:
            raise FiqaError(f"{file} and {shards[number][0]} are both shard {number} of {count}")
        shards[number] = file, manifest
        counts.add(count)
    if len(counts) > 1:
        raise FiqaError(f"shards of {' and of '.join(map(str, sorted(counts)))}: name one run's")
    whole = range(1, max(counts, default=0) + 1)
    if missing := [number for number in whole if number not in shards]:
        named = ", ".join(map(str, missing[:10])) + " …" * (len(missing) > 10)
        raise FiqaError(f"of {len(whole)} shards {len(missing)} are missing: {named}")
    manifests = [shards[number][1] for number in whole]
    for number in whole:
        file, manifest = shards[number]
        if other := difference(manifest, manifests[0], _MAY_DIFFER):
            raise FiqaError(f"{file} was made with {other}, as the first shard was")
    return [shards[number][0] for number in whole], _joined(manifests)


def merge_reports(
    shards: Sequence[Path], output: Path | None, format: str, *, unordered: bool = False
) -> None:
    """Write the rows of all `shards`, in their order, to `output`, else to standard output.

    If the shards are `unordered` themselves, one comes after the other. Raises `FiqaError` as
    `interleave` does, and then leaves `output` as it was.
    """
    with ExitStack() as stack:
        batches = [iter(stack.enter_context(open_reader(shard))) for shard in shards]
        first = next(batches[0], None)  # tells the columns, where there are no rows too
        if first is not None:
            batches[0] = chain([first], batches[0])
        streams = [
            chain.from_iterable(batch.records() for batch in of_shard) for of_shard in batches
        ]
        columns = first.columns if first else None
        target = stack.enter_context(_replaced(output)) if output else None
        with open_writer(target, format, columns or None) as writer:
            rows = (
                chain.from_iterable(streams)
                if unordered
                else interleave(streams, path_of, lambda record: not record.get("face"))
            )
            while part := list(islice(rows, SLICE)):
                writer.write_records(part)


def merge_embeddings(shards: Sequence[Path], output: Path, *, unordered: bool = False) -> None:
    """Write the embeddings of all `shards` to `output`, as `merge_reports` does rows."""
    streams = [embedded_rows(shard) for shard in shards]
    with (
        _replaced(output) as target,
        open_embedding_writer(target, *made_by(shards[0])) as writer,
    ):
        rows = (
            chain.from_iterable(streams)
            if unordered
            else interleave(streams, lambda it: it[0].path, lambda it: not it[0].face)
        )
        for row, embedding in rows:
            writer.write(row, embedding)


@contextmanager
def _replaced(output: Path) -> Iterator[Path]:
    """A file of another name, and of the same kind, that becomes `output` if all goes well."""
    target = output.with_name(f".merge.{output.name}")
    try:
        yield target
        rename(target, output)
    finally:
        target.unlink(missing_ok=True)


def interleave(
    shards: Sequence[Iterable[Item]], path: Callable[[Item], str], begins: Callable[[Item], bool]
) -> Iterator[Item]:
    """The rows of all shards in the order of the whole run, one at a time.

    `path` is that of a row, and `begins` tells whether it is the first of its image. Raises
    `FiqaError` if one shard ends where another goes on, which no shards of one run do.
    """
    streams = [numbered(shard, path, begins) for shard in shards]
    upcoming = [next(stream, None) for stream in streams]
    for unit in count():
        for place, stream in enumerate(streams):
            if upcoming[place] is None:
                if any(upcoming):
                    raise FiqaError(
                        f"shard {place + 1} lacks images that others have beside them: "
                        "the shards are of different lists of images"
                    )
                return
            while (item := upcoming[place]) and item[0] == unit:
                yield item[1]
                upcoming[place] = next(stream, None)


def _finished(file: Path) -> Manifest:
    manifest = read_manifest(file)
    if manifest is None:
        raise FiqaError(f"{file} has no {manifest_path(file).name} to tell which shard it is")
    if SHARD not in manifest.options:
        raise FiqaError(f"{file} is no shard: 'fiqa score --shard' and 'fiqa embed --shard' do one")
    if not manifest.is_done(file):
        raise FiqaError(f"{file} is not done: give its command once more, with --resume")
    return manifest


def _joined(manifests: Sequence[Manifest]) -> Manifest:
    first = manifests[0]
    counts: Counter[str] = Counter()
    for manifest in manifests:
        counts.update(manifest.counts)
    return replace(
        first,
        options={name: value for name, value in first.options.items() if name != SHARD},
        counts=dict(counts),
        command=list(sys.argv),
        started=min(manifest.started for manifest in manifests),
        ended=None,
        failed=sum(manifest.failed for manifest in manifests),
        size=None,
    )
