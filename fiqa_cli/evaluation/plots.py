"""Plots of an evaluation, as PNG and SVG: readable in black and white, and the same each time."""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.comparison import Evaluation, Outcome
from fiqa_cli.evaluation.edc import Curve
from fiqa_cli.evaluation.pauc import Kind

Floats = NDArray[np.float64]

DPI = 200
GRID = 1000
"""Points of a curve drawn at most; it may have a million."""
BINS = 40
GROUPS, GROUP = 15, 30
"""Most groups of pairs, and fewest pairs in each, for quantiles."""
OUTERMOST = 0.01
"""Share of the qualities that is not drawn, on each side."""
TITLE = 28
"""Characters of a line above a small plot."""
COLUMNS = 3
"""Small plots side by side."""

# Okabe and Ito's colours, told apart by the colour-blind too, less the palest one.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "h")
_LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (1.5, 1)))
# So pale that black lines stand out.
_PALE_GREYS = LinearSegmentedColormap.from_list("pale greys", ("0.93", "0.45"))
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "legend.frameon": False,
    "legend.handlelength": 3.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 6,
    # Without these, ids and dates in an SVG differ from run to run.
    "svg.hashsalt": "fiqa",
    "svg.fonttype": "path",
}


def write_plots(evaluation: Evaluation, folder: Path, kind: Kind = "normalised") -> list[Path]:
    """Write three plots for each recogniser, `NAME.png` and `NAME.svg`; their paths.

    `edc-*`: the curve of each measure, with its area, the theoretical best and a quality that
    says nothing. `quality-*`: histograms of the qualities of faces. `similarity-*`: similarity of
    the mated pairs against their quality. Raises `FiqaError` if `folder` cannot be written.
    """
    written = []
    with rc_context(_STYLE):
        for outcome, name in zip(evaluation.outcomes, _file_names(evaluation), strict=True):
            figures = {
                "edc": draw_curves(evaluation, outcome, kind),
                "quality": draw_histograms(evaluation, outcome),
                "similarity": draw_similarities(evaluation, outcome),
            }
            for prefix, figure in figures.items():
                for suffix in (".png", ".svg"):
                    path = folder / f"{prefix}-{name}{suffix}"
                    _save(figure, path)
                    written.append(path)
    return written


def draw_curves(evaluation: Evaluation, outcome: Outcome, kind: Kind = "normalised") -> Figure:
    """Error against the share of discarded pairs, up to twice the greatest limit."""
    limit = evaluation.limits[-1]
    right = min(1.0, 2 * limit)
    longest = max(map(len, outcome.curves))
    figure = Figure(figsize=(5.8 + 0.08 * longest, 4.0), layout="constrained")
    axes = figure.add_subplot()
    areas = {name: getattr(each[-1], kind) for name, each in outcome.areas.items()}
    styles = zip(cycle(_COLOURS), cycle(_MARKERS), cycle(_LINES), strict=False)
    ordered = sorted(areas, key=lambda name: (np.isnan(areas[name]), areas[name]))
    look = dict(zip(outcome.curves, styles, strict=False))
    for number, name in enumerate(ordered):
        colour, marker, line = look[name]
        x, y = _drawn(outcome.curves[name], right)
        axes.plot(
            x,
            y,
            drawstyle="default" if evaluation.definition.linear else "steps-post",
            color=colour,
            linestyle=line,
            marker=marker,
            # Markers of several curves at one place would hide each other.
            markevery=(0.12 * (number + 0.5) / len(ordered), 0.12),
            markeredgecolor="white",
            markeredgewidth=0.5,
            label=f"{name}  {areas[name]:.3f}",
        )
    start = outcome.error
    axes.plot([0, right], [start, start], ":", color="0.45", linewidth=1.2, label="random")
    axes.plot(
        [0, min(start, right), right],
        [start, max(0.0, start - right), max(0.0, start - right)],
        color="0.45",
        linewidth=0.9,
        label="theoretical best",
    )
    for each in evaluation.limits:
        axes.axvline(each, color="0.8", linewidth=0.8, zorder=0)
    axes.set(
        xlim=(0, right),
        ylim=(0, None),
        xlabel="share of pairs discarded",
        ylabel=f"{evaluation.definition.error.upper()}",
        title=f"{outcome.recogniser}\n{evaluation.definition}",
    )
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside right upper",
        title=f"pAUC({limit:g}), {kind.replace('_', ' ')}",
        alignment="left",
    )
    return figure


def draw_histograms(evaluation: Evaluation, outcome: Outcome) -> Figure:
    """How many faces of the pairs have which quality, and where each limit cuts."""
    pairs = outcome.comparisons.pairs
    used = np.unique(np.append(pairs.first, pairs.second))
    figure, panels = _panels(evaluation)
    for axes, (name, quality) in zip(panels, outcome.comparisons.qualities.items(), strict=True):
        values = _within(quality[used])
        axes.hist(quality[used][values], BINS, color="0.8", edgecolor="0.45", linewidth=0.5)
        for limit, line in zip(evaluation.limits, cycle(_LINES), strict=False):
            bar = float(outcome.curves[name].quality_at(limit))
            axes.axvline(bar, color="black", linewidth=1.2, linestyle=line, label=f"{limit:.0%}")
        axes.set(title=fill(name, TITLE), xlabel="quality", ylabel="faces")
    _add_legend(
        figure, panels[0], f"{outcome.recogniser}: least quality if this share may be discarded"
    )
    return figure


def draw_similarities(evaluation: Evaluation, outcome: Outcome) -> Figure:
    """Similarity of mated pairs against their quality: density, median and outer tenths."""
    mated = outcome.comparisons.pairs.mated
    similarity = outcome.comparisons.similarity[mated]
    figure, panels = _panels(evaluation)
    for axes, (name, quality) in zip(panels, outcome.pair_qualities.items(), strict=True):
        values = _within(quality[mated])
        _draw_density(axes, quality[mated][values], similarity[values])
        axes.axhline(
            outcome.threshold, color="black", linewidth=1.1, linestyle=":", label="threshold"
        )
        axes.set(
            title=fill(name, TITLE), xlabel="lesser quality of both faces", ylabel="similarity"
        )
    _add_legend(figure, panels[0], f"{outcome.recogniser}: mated pairs; the darker, the more")
    return figure


def _draw_density(axes: Axes, quality: Floats, similarity: Floats) -> None:
    """Hexagons, and quantiles in groups of equal size by quality."""
    axes.hexbin(
        quality, similarity, gridsize=40, bins="log", cmap=_PALE_GREYS, mincnt=1, linewidths=0.1
    )
    order = np.argsort(quality, kind="stable")
    groups = np.array_split(order, min(GROUPS, max(1, len(quality) // GROUP)))
    x = [np.median(quality[group]) for group in groups]
    low, middle, high = (
        [np.quantile(similarity[group], share) for group in groups] for share in (0.1, 0.5, 0.9)
    )
    axes.plot(
        x,
        middle,
        color="black",
        marker="o",
        markersize=3.5,
        markerfacecolor="white",
        label="median",
    )
    axes.plot(x, low, color="black", linestyle="--", linewidth=1, label="10 % and 90 %")
    axes.plot(x, high, color="black", linestyle="--", linewidth=1)


def _within(quality: Floats) -> NDArray[np.bool_]:
    """All finite qualities but the outermost, which would leave no room for the others."""
    low, high = np.quantile(quality[np.isfinite(quality)], (OUTERMOST, 1 - OUTERMOST))
    return np.asarray((quality >= low) & (quality <= high))


def _add_legend(figure: Figure, axes: Axes, title: str) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=len(labels),
        title=f"{title}\n(without the outermost {OUTERMOST:.0%} of the qualities on each side)",
    )


def _panels(evaluation: Evaluation) -> tuple[Figure, list[Axes]]:
    """A figure with a small plot for each measure."""
    count = len(evaluation.measures)
    columns = min(COLUMNS, count) if count != 4 else 2
    rows = -(-count // columns)
    figure = Figure(figsize=(max(2.6 * columns, 4.2), 2.3 * rows + 0.6), layout="constrained")
    grid = figure.add_gridspec(rows, columns)
    return figure, [figure.add_subplot(grid[divmod(number, columns)]) for number in range(count)]


def _drawn(curve: Curve, right: float) -> tuple[Floats, Floats]:
    """Points of a curve up to `right`; so many at most that files stay small."""
    inside = int(np.searchsorted(curve.discard, right, side="right"))
    if inside <= GRID:
        x = np.append(curve.discard[:inside], right)
    else:
        x = np.linspace(0, right, GRID + 1)
    return x, curve.error_at(x)


def _file_names(evaluation: Evaluation) -> Iterator[str]:
    """The recognisers' names as parts of file names, each another one."""
    seen: dict[str, int] = {}
    for outcome in evaluation.outcomes:
        name = "".join(c if c.isalnum() or c in "._+-" else "_" for c in outcome.recogniser)
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name}-{seen[name]}"


def _save(figure: Figure, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=DPI, metadata={"Date": None} if path.suffix == ".svg" else {})
    except OSError as error:
        raise FiqaError(f"cannot write {path}: {error.strerror}") from error
