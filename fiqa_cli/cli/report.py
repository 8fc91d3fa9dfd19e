"""`fiqa report`: one HTML file that shows what a set of images is worth, and where to cut."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fiqa_cli.cli.console import console, note
from fiqa_cli.cli.options import REPORT, Quiet
from fiqa_cli.cli.report_source import named_source
from fiqa_cli.errors import FiqaError

if TYPE_CHECKING:
    from fiqa_cli.report.thumbnails import Key, Thumbnail


def report(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="REPORT|- [REPORT]",
            help="CSV, JSON, JSONL or Parquet; else stdin. A second one, of another model on the "
            "same images, is compared with the first.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", rich_help_panel=REPORT, help="The page; else stdout."
        ),
    ] = None,
    min: Annotated[
        float | None,
        typer.Option(
            help="Where the cut starts.", show_default="the valley, else discarding a tenth"
        ),
    ] = None,
    faces: Annotated[
        int,
        typer.Option(
            min=0,
            max=200,
            metavar="N",
            help="Faces of each gallery, with ten times as many along the slider; 0 for a page "
            "without pictures.",
        ),
    ] = 24,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", metavar="NAME", help="The model, if a report has several; for each."
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Make one HTML file of a report: where to cut, faces, folders, statuses, two models.

    It needs no network. Faces are cut out of the images at the paths of the rows, so run it where
    these count from. Of large sets a sample is shown, and the page says so. 32 bytes a row are
    held, and a few times that while they are sorted.

    Example:

    fiqa report scores.csv -o report.html
    """
    from fiqa_cli.records.manifest import Manifest, write_manifest
    from fiqa_cli.records.writers import open_stream
    from fiqa_cli.report import make_page

    given = list(sources or [Path("-")])
    if len(given) > 2:
        raise FiqaError("one report makes a page, or two to compare: leave out the others")
    if len(model or []) > len(given):
        raise FiqaError("--model chooses once for each report")
    if output is None and sys.stdout.isatty():
        raise FiqaError("a page is not for a terminal: name a file with -o report.html")
    reports = [named_source(source, "report", output) for source in given]
    if reports == [None, None]:
        raise FiqaError("standard input holds one report: name the file of the other")
    manifest = Manifest(
        options={
            "inputs": [each and str(each) for each in reports],
            "min": min,
            "faces": faces,
            "models": model or [],
        }
    )
    page = make_page(reports, model or [], min, faces, _watch)
    with open_stream(output, whole=True) as stream:
        stream.write(page.html.encode())
    if output:
        manifest.finish({"faces": page.faces, "pictures": page.pictures})
        write_manifest(output, manifest)
    for reason, count in page.missing.items():
        note(f"no picture of {count:,} of {page.pictures:,} faces: {reason}")
    if output and not quiet:
        size = len(page.html.encode()) / 1e6
        console.print(
            f"{page.faces:,} faces in {output} ({size:.1f} MB)", markup=False, soft_wrap=True
        )


def _watch(
    pictures: "Iterable[tuple[Key, Thumbnail]]", count: int
) -> "Iterator[tuple[Key, Thumbnail]]":
    """A bar over the pictures, on a terminal."""
    from rich.progress import track

    if not console.is_terminal:
        yield from pictures
        return
    yield from track(pictures, "pictures", count, console=console, transient=True)
