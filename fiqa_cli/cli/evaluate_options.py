"""Options of `fiqa evaluate`, in the order of its help."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fiqa_cli.cli.options import REPORT

PAIRS, DEFINITION, PLOTS = "Pairs", "Definition", "Plots"


class ErrorRate(StrEnum):
    """What is a share of the pairs that are left."""

    FNMR = "fnmr"
    FMR = "fmr"


class Missing(StrEnum):
    """What becomes of pairs with a face that has no quality."""

    DROP = "drop"
    WORST = "worst"
    ERROR = "error"


class TemplateQuality(StrEnum):
    """The quality of several images of a person."""

    MEAN = "mean"
    BEST = "best"


class Area(StrEnum):
    """Which area is shown and ranked by."""

    NORMALISED = "normalised"
    RAW = "raw"
    ABOVE_BEST = "above-best"


class TableFormat(StrEnum):
    """How the figures are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


Reports = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="REPORT...",
        help="Reports of 'fiqa score'; each model in them is a measure of its own.",
        show_default=False,
    ),
]
Embeddings = Annotated[
    list[Path] | None,
    typer.Option(
        "--embeddings",
        "-e",
        metavar="FILE",
        rich_help_panel=PAIRS,
        help="Embeddings of 'fiqa embed'; once for each recogniser.",
    ),
]
Comparisons = Annotated[
    list[Path] | None,
    typer.Option(
        "--comparisons",
        "-c",
        metavar="FILE",
        rich_help_panel=PAIRS,
        help="Pairs compared elsewhere, in place of embeddings: columns a, b, mated (1 or 0) "
        "and similarity; once for each recogniser.",
    ),
]
Pairs = Annotated[
    Path | None,
    typer.Option(
        "--pairs",
        "-p",
        metavar="FILE",
        rich_help_panel=PAIRS,
        help="Who is compared with whom: .csv, .json, .jsonl or .parquet with columns a, b, "
        "mated; an InsightFace .bin; else the grammar of LFW's pairs.txt.",
    ),
]
Templates = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=PAIRS,
        help="Image, template and media on each line, as of IJB-C; --pairs then lists pairs "
        "of templates.",
    ),
]
ByFolder = Annotated[
    bool,
    typer.Option(
        "--by-folder",
        rich_help_panel=PAIRS,
        help="Draw pairs from the embeddings: each folder of images, or label of a "
        ".rec, is one person.",
    ),
]
MatedLimit = Annotated[
    int | None,
    typer.Option(
        min=1,
        rich_help_panel=PAIRS,
        help="--by-folder: mated pairs of each person at most.",
        show_default="100",
    ),
]
NonMatedLimit = Annotated[
    int | None,
    typer.Option(
        min=1,
        rich_help_panel=PAIRS,
        help="--by-folder: non-mated pairs of each at most.",
        show_default="500",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Of the pairs drawn and of the resamples.")]
Root = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FOLDER",
        rich_help_panel=PAIRS,
        help="Take FOLDER off the beginning of paths before files are joined; repeatable.",
    ),
]
Extension = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=PAIRS,
        help="pairs.txt: how the names of the images end.",
        show_default=".jpg",
    ),
]
TemplateQualityOption = Annotated[
    TemplateQuality | None,
    typer.Option(
        rich_help_panel=PAIRS,
        help="--templates: their quality is the mean, by media, or the best.",
        show_default="mean",
    ),
]
ErrorOption = Annotated[
    ErrorRate, typer.Option(rich_help_panel=DEFINITION, help="The error that is drawn.")
]
Fmr = Annotated[
    float,
    typer.Option(
        rich_help_panel=DEFINITION,
        help="Threshold: the lowest at which no more of the non-mated pairs match.",
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        metavar="SIMILARITY", rich_help_panel=DEFINITION, help="A threshold in place of --fmr."
    ),
]
StartingError = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        rich_help_panel=DEFINITION,
        help="In place of --fmr: the threshold that makes this the error at discard 0.",
    ),
]
ReEstimated = Annotated[
    bool,
    typer.Option(
        "--re-estimated",
        rich_help_panel=DEFINITION,
        help="Find the threshold anew at each discard, as CR-FIQA does.",
    ),
]
Linear = Annotated[
    bool,
    typer.Option("--linear", rich_help_panel=DEFINITION, help="Straight lines in place of steps."),
]
Limit = Annotated[
    list[float] | None,
    typer.Option(
        metavar="SHARE",
        rich_help_panel=DEFINITION,
        help="Areas go up to this share of discarded pairs; repeatable.",
        show_default="0.2 and 0.3",
    ),
]
MissingQuality = Annotated[
    Missing,
    typer.Option(
        rich_help_panel=DEFINITION,
        help="Pairs with a face without quality: dropped for all models, the first to be "
        "discarded, or an error.",
    ),
]
AreaOption = Annotated[
    Area,
    typer.Option(
        rich_help_panel=REPORT,
        help="Divided by error(0) times limit; raw; or less the theoretical best.",
    ),
]
Confidence = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        rich_help_panel=REPORT,
        help="95 % intervals, and how often one model beats another, from N resamples of "
        "identities.",
    ),
]
At = Annotated[
    list[float] | None,
    typer.Option(
        min=0,
        max=1,
        metavar="SHARE",
        rich_help_panel=REPORT,
        help="Tell the error at this share of discarded pairs, and the least quality to "
        "filter by; repeatable.",
    ),
]
TableOutput = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        rich_help_panel=REPORT,
        help="Write to FILE, and how it came about to FILE.manifest.json.",
    ),
]
TableFormatOption = Annotated[
    TableFormat | None,
    typer.Option(
        "--format",
        "-f",
        rich_help_panel=REPORT,
        help="Else what the name of FILE says; else a table on a terminal, and csv in a pipe.",
    ),
]
Plots = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        rich_help_panel=PLOTS,
        help="Write plots as PNG and SVG: curves, qualities, similarity against quality.",
    ),
]
Show = Annotated[
    bool,
    typer.Option("--show", rich_help_panel=PLOTS, help="Draw the curves on the terminal."),
]
