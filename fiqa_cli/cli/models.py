"""`fiqa models`: what there is, and getting it onto this machine."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fiqa_cli.cli.completion import models_of
from fiqa_cli.cli.console import console, note, on_terminal

if TYPE_CHECKING:
    from fiqa_cli.zoo.model import Model
    from fiqa_cli.zoo.store import Place

app = typer.Typer(
    no_args_is_help=True,
    help="List, download, verify and import models.",
    epilog="The built-in models (-n) are for non-commercial research only.",
)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A model of 'fiqa models list'.", autocompletion=models_of()
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_COLUMNS = ("name", "kind", "state", "size", "licence", "paper")


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List every model, where it is and under which licence; a table or, in a pipe, TSV.

    Examples:

    fiqa models list

    fiqa models list --json | jq '.[] | select(.state == "built-in").name'
    """
    from fiqa_cli.zoo.registry import models
    from fiqa_cli.zoo.store import place

    found = [(model, place(model)) for model in models().values()]
    if as_json:
        typer.echo(json.dumps([_summary(*pair) for pair in found], indent=1))
        return
    table: list[tuple[str, ...]] = [
        (m.name, m.kind, _state(m, p), _size(m), m.licence, m.paper.label if m.paper else "")
        for m, p in found
    ]
    if sys.stdout.isatty():
        _print_table(table)
        return
    typer.echo("\t".join(_COLUMNS))
    for row in table:
        typer.echo("\t".join(row))


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show what is known of one model: files, hashes, licence, paper, preprocessing.

    Example:

    fiqa models show ediffiqa-m
    """
    from fiqa_cli.zoo.registry import find
    from fiqa_cli.zoo.store import how_to_get, place

    model = find(name)
    found = place(model)
    if as_json:
        typer.echo(json.dumps(_summary(model, found), indent=1))
        return
    for label, value in _facts(model):
        if value:
            typer.echo(f"{label + ':':<15}{value}")
    absent = "no weights" if model.source == "none" else "no"
    here = f"{found.path} ({found.state})" if found else absent
    typer.echo(f"{'here:':<15}{here}")
    if found is None:
        typer.echo(how_to_get(model), err=True)


@app.command()
def pull(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="Models to download.", autocompletion=models_of()),
    ],
    format: Annotated[
        str | None,
        typer.Option(help="torch or onnx; by default the file whose sha256 is published."),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="FIQA_MIRROR",
            help="Base address that holds the files under the names that 'show' lists.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Download again.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Refuse to connect (also FIQA_OFFLINE=1).")
    ] = False,
) -> None:
    """Download models and verify their sha256; continues what an earlier pull has begun.

    Prints where they are. A proxy is taken from HTTPS_PROXY.

    Examples:

    fiqa models pull ediffiqa-m

    fiqa models pull ediffiqa-t buffalo_l --mirror https://models.example.org/faces
    """
    from fiqa_cli.zoo.pull import pull as pull_model
    from fiqa_cli.zoo.registry import find

    for model in [find(name) for name in names]:
        with _progress(model.name) as progress:
            path = pull_model(
                model,
                format=format,
                mirror=mirror,
                force=force,
                offline=offline,
                progress=progress,
                notify=note,
            )
        note(f"{model.name} is here; licence: {model.licence}")
        typer.echo(os.fsencode(path))


@app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME...]", help="Default: all that are here.", autocompletion=models_of()
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hash the files of models anew; exit code 1 if one is damaged or missing.

    Examples:

    fiqa models verify

    fiqa models verify ediffiqa-n --json
    """
    from fiqa_cli.zoo.registry import find, models
    from fiqa_cli.zoo.store import place
    from fiqa_cli.zoo.store import verify as verify_model

    chosen = [find(n) for n in names] if names else [m for m in models().values() if place(m)]
    checks = [(model.name, check) for model in chosen for check in verify_model(model)]
    if as_json:
        told = [{"name": name} | asdict(c) | {"file": str(c.file)} for name, c in checks]
        typer.echo(json.dumps(told, indent=1))
    else:
        for name, check in checks:
            typer.echo(f"{name}\t{check.result}\t{check.sha256}\t{check.file}")
    if any(check.result == "unknown" for _, check in checks):
        note("unknown: no hash was published or recorded for this file")
    if any(check.result in ("damaged", "missing") for _, check in checks):
        raise typer.Exit(1)


@app.command("import")
def import_weights(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Weights, or the zip of a pack.")],
    name: Annotated[
        str,
        typer.Option("--as", metavar="NAME", help="The model it is.", autocompletion=models_of()),
    ],
) -> None:
    """Copy a weights file that you have into the cache, after checking that it is that model.

    Takes a state dict (.pth, pytorch_model.bin), safetensors, ONNX, or the zip of a pack.

    Example:

    fiqa models import pytorch_model.bin --as diffiqa-r
    """
    from fiqa_cli.zoo.importing import import_file
    from fiqa_cli.zoo.registry import find

    typer.echo(os.fsencode(import_file(find(name), file, note)))


@app.command()
def export(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A model of 'fiqa models list', a weights file, or a trained folder.",
            autocompletion=models_of("quality", "recogniser"),
        ),
    ],
    onnx: Annotated[Path, typer.Option("--onnx", metavar="FILE", help="The file to write.")],
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Aligned crops to compare ONNX and torch on; by default the faces that scrfd-n "
            "finds in the sample photos.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a distilled model or a recogniser as ONNX, checked against torch on real crops.

    The input is float32 [N, 3, 112, 112] with any N, the output "quality" or "embedding"; opset
    13. Licence, preprocessing and the sha256 of the weights are in the file's metadata.

    Examples:

    fiqa models export ediffiqa-n --onnx ediffiqa-n.onnx

    fiqa models export ./my-model --onnx my-model.onnx --check crops
    """
    from fiqa_cli.pipeline.onnx_export import export_model

    done = export_model(name, onnx, check)
    where = f"of {check}" if check else "of the sample photos"
    note(f"largest difference to torch on {done.crops} crops {where}: {done.difference:.1e}")
    typer.echo(os.fsencode(done.file))


@app.command()
def where(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Default: the cache folder itself.",
            autocompletion=models_of(),
        ),
    ] = None,
) -> None:
    """Print where a model is, or the cache folder.

    Example:

    du -sh "$(fiqa models where)"
    """
    from fiqa_cli.zoo.cache import cache_folder
    from fiqa_cli.zoo.registry import find
    from fiqa_cli.zoo.store import locate

    typer.echo(os.fsencode(locate(find(name)) if name else cache_folder()))


def _summary(model: "Model", found: "Place | None") -> dict[str, Any]:
    fields = asdict(model) | {"source": model.source, "state": _state(model, found)}
    return fields | {"path": str(found.path) if found else None}


def _state(model: "Model", found: "Place | None") -> str:
    if found:
        return found.state
    if model.source == "recogniser":
        return f"needs {model.recogniser}"
    told = {"download": "to pull", "import": "to import", "none": "no weights"}
    return told.get(model.source, "missing")


def _facts(model: "Model") -> Iterator[tuple[str, str]]:
    yield "name", model.name
    yield "kind", model.kind
    yield "summary", model.summary
    yield "licence", model.licence
    if model.paper:
        yield "paper", f"{model.paper.citation} {model.paper.url}"
    yield "method", model.method
    yield "network", model.network
    yield "config", ", ".join(f"{name} = {value}" for name, value in model.config.items())
    yield "detector", model.detector
    yield "recogniser", model.recogniser
    if model.preprocessing:
        given = model.preprocessing
        scaling = f"(x / 255 - {list(given.mean)}) / {list(given.std)}"
        yield "preprocessing", f"{given.size} × {given.size} {given.colour}, {scaling}"
    for artifact in model.artifacts:
        yield "file", f"{artifact.file} ({artifact.format})"
        yield "  url", artifact.url or ""
        if not model.is_pack or artifact.url:
            yield "  sha256", artifact.sha256 or "not published: recorded on the first download"
    for member, digest in model.members.items():
        yield "  member", f"{member} {digest}"
    yield "by hand", model.obtain
    yield "card", model.card


def _size(model: "Model") -> str:
    offered = model.artifact() or next(iter(model.artifacts), None)
    if offered and offered.bytes:
        return f"{offered.bytes / 1e6:.1f} MB"
    return f"~{offered.about / 1e6:.0f} MB" if offered and offered.about else ""


def _print_table(rows: list[tuple[str, ...]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in _COLUMNS:
        table.add_column(column, no_wrap=column in ("name", "kind", "state", "size"), min_width=8)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """A bar on the standard error for a person, nothing in a log."""
    if not on_terminal():
        yield None
        return
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
