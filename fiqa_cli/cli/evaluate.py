"""`fiqa evaluate`: error-versus-discard curves and their areas, for many models at once."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from fiqa_cli.cli.console import console, note
from fiqa_cli.cli.evaluate_options import (
    Area,
    AreaOption,
    At,
    ByFolder,
    Comparisons,
    Confidence,
    Embeddings,
    ErrorOption,
    ErrorRate,
    Extension,
    Fmr,
    Limit,
    Linear,
    MatedLimit,
    Missing,
    MissingQuality,
    NonMatedLimit,
    Pairs,
    Plots,
    ReEstimated,
    Reports,
    Root,
    Seed,
    Show,
    StartingError,
    TableFormat,
    TableFormatOption,
    TableOutput,
    TemplateQualityOption,
    Templates,
    Threshold,
)
from fiqa_cli.cli.options import Quiet
from fiqa_cli.errors import FiqaError

if TYPE_CHECKING:
    from fiqa_cli.evaluation import Evaluation
    from fiqa_cli.evaluation.pauc import Kind

_KINDS: "dict[Area, Kind]" = {
    Area.NORMALISED: "normalised",
    Area.RAW: "raw",
    Area.ABOVE_BEST: "above_best",
}
_FORMATS = {".json": TableFormat.JSON, ".txt": TableFormat.TABLE}


def evaluate(
    reports: Reports = None,
    embeddings: Embeddings = None,
    comparisons: Comparisons = None,
    pairs: Pairs = None,
    templates: Templates = None,
    by_folder: ByFolder = False,
    mated_limit: MatedLimit = None,
    non_mated_limit: NonMatedLimit = None,
    seed: Seed = 0,
    root: Root = None,
    extension: Extension = None,
    template_quality: TemplateQualityOption = None,
    error: ErrorOption = ErrorRate.FNMR,
    fmr: Fmr = 1e-3,
    threshold: Threshold = None,
    starting_error: StartingError = None,
    re_estimated: ReEstimated = False,
    linear: Linear = False,
    limit: Limit = None,
    missing: MissingQuality = Missing.ERROR,
    area: AreaOption = Area.NORMALISED,
    confidence: Confidence = 0,
    at: At = None,
    output: TableOutput = None,
    format: TableFormatOption = None,
    plots: Plots = None,
    show: Show = False,
    quiet: Quiet = False,
) -> None:
    """Tell how well qualities predict recognition errors: curves of error versus discard.

    The areas below the curves (pAUC) are told for each recogniser and for their mean; less is
    better. Every output names the definition.

    Example:

    fiqa evaluate scores.csv -e embeddings.npz --by-folder --confidence 1000 --plots plots
    """
    from fiqa_cli.evaluation import Definition, Inputs, compare, read_inputs
    from fiqa_cli.evaluation.pauc import LIMITS
    from fiqa_cli.records.manifest import Manifest, write_manifest

    inputs = Inputs(
        reports=reports or [],
        embeddings=embeddings or [],
        comparisons=comparisons or [],
        pairs=pairs,
        templates=templates,
        by_folder=by_folder,
        mated_limit=mated_limit,
        non_mated_limit=non_mated_limit,
        seed=seed,
        roots=root or [],
        extension=extension,
        template_quality=template_quality.value if template_quality else None,
    )
    definition = Definition(
        error=error.value,
        fmr=fmr,
        threshold=threshold,
        starting_error=starting_error,
        re_estimated=re_estimated,
        linear=linear,
    )
    chosen = _format(output, format)
    if at and chosen is TableFormat.CSV:
        raise FiqaError("--at is for a table or JSON: in CSV, name the share as a --limit")
    for file in (*inputs.reports, *inputs.embeddings, *inputs.comparisons):
        if output and output.exists() and file.exists() and output.samefile(file):
            raise FiqaError(f"{output} is an input too: write to another file")
    choices = {
        **asdict(inputs),
        **asdict(definition),
        "limits": limit or LIMITS,
        "missing": missing,
        "area": area,
        "confidence": confidence,
        "at": at,
    }
    manifest = Manifest(options=choices, seed=seed)
    evaluation = compare(
        read_inputs(inputs, note), definition, limit or LIMITS, missing.value, confidence, seed
    )
    _write(evaluation, output, chosen, _KINDS[area], at or [])
    if output:
        manifest.finish(
            {"measures": len(evaluation.measures), "recognisers": len(evaluation.outcomes)}
        )
        write_manifest(output, manifest)
        if not quiet:
            console.print(f"wrote {output}", markup=False, soft_wrap=True)
    if plots:
        from fiqa_cli.evaluation.plots import write_plots

        written = write_plots(evaluation, plots, _KINDS[area])
        if not quiet:
            console.print(f"wrote {len(written)} plots to {plots}", markup=False, soft_wrap=True)
    if show:
        _show(evaluation)


def _format(output: Path | None, asked: TableFormat | None) -> TableFormat:
    if asked is not None:
        return asked
    if output is not None:
        return _FORMATS.get(output.suffix.lower(), TableFormat.CSV)
    return TableFormat.TABLE if sys.stdout.isatty() else TableFormat.CSV


def _write(
    evaluation: "Evaluation",
    output: Path | None,
    format: TableFormat,
    kind: "Kind",
    at: list[float],
) -> None:
    """Write the figures to a file or to standard output."""
    from fiqa_cli.evaluation.report import COLUMNS, to_json, to_rows

    if format is TableFormat.CSV:
        from fiqa_cli.records.writers import open_writer

        with open_writer(output, "csv", COLUMNS) as writer:
            writer.write_records(to_rows(evaluation, kind))
        return
    with _open_text(output) as stream:
        if format is TableFormat.JSON:
            stream.write(to_json(evaluation, kind, at))
        else:
            from fiqa_cli.evaluation.tables import print_tables

            print_tables(evaluation, stream, kind, at)


@contextmanager
def _open_text(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    try:
        stream = output.open("w", encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise FiqaError(f"cannot write {output}: {error.strerror}") from error
    with stream:
        yield stream


def _show(evaluation: "Evaluation") -> None:
    """Draw the curves on stderr, where they cannot get into data."""
    from rich.text import Text

    from fiqa_cli.evaluation.terminal_plot import draw_curves

    colour = console.is_terminal and not console.no_color
    for outcome in evaluation.outcomes:
        text = draw_curves(outcome, min(1.0, 2 * evaluation.limits[-1]), console.width, colour)
        console.print(Text.from_ansi(text), soft_wrap=True)
