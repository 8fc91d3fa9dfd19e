"""What every command that goes through images does around it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fiqa_cli.pipeline.tally import Tally
    from fiqa_cli.records.manifest import Manifest
    from fiqa_cli.sources.listing import Entry

SOME_FAILED = 1
"""Exit code."""


@dataclass(frozen=True)
class Images:
    """The images that a command line names."""

    entries: "Iterator[Entry]"
    count: Callable[[], int | None]
    """Counts them, by listing a second time; `None` where that would take long."""


def list_images(
    inputs: list[str], null: bool, every: int | None = None, offline: bool = False
) -> Images:
    """List what `inputs` name: see `expand`, whose FiqaError it raises."""
    from fiqa_cli.sources.listing import count, expand
    from fiqa_cli.zoo.download import is_offline

    # A stream of our own for stdin: when a run is cut short a thread may still wait on it, and
    # Python's own must not be held at exit.
    stdin = open(0, "rb", closefd=False) if "-" in inputs else None  # noqa: SIM115
    entries = expand(inputs, null, stdin, every=every, offline=offline or is_offline())
    return Images(entries, lambda: count(inputs, null, every=every))


@contextmanager
def recorded(manifest: "Manifest", tally: "Tally", output: Path | None) -> Iterator[None]:
    """Keep `manifest` beside `output` while a run lasts, and with the counts of `tally` after it.

    A run that is cut short leaves one without a time of ending. Without `output` there is none.
    """
    from fiqa_cli.records.manifest import write_manifest

    if output is None:
        yield
        return
    try:
        write_manifest(output, manifest)
        yield
        manifest.finish(tally.statuses)
    finally:
        manifest.counts = dict(tally.statuses)
        write_manifest(output, manifest)
