"""Options that several commands share."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fiqa_cli.cli.completion import models_of
from fiqa_cli.errors import FiqaError
from fiqa_cli.faces.choice import FaceChoice
from fiqa_cli.methods.precision import Precision
from fiqa_cli.zoo.preprocessing import Pixels

FACES, RECOGNISER, MACHINE, REPORT = "Faces", "Recogniser", "Machine", "Report"
MACHINES = "Several machines"


class Engine(StrEnum):
    """What carries a run."""

    LOCAL = "local"
    RAY = "ray"


def milliseconds(text: str | float) -> int:
    """A time such as `0.5s`, `40ms` or `2` (seconds). Raises `FiqaError` if it is none."""
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*(ms|s?)", str(text).strip())
    time = round(float(found[1]) * (1 if found[2] == "ms" else 1000)) if found else 0
    if time < 1:
        raise FiqaError(f"{text} is no time: give one such as 0.5s or 40ms")
    return time


Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IMAGE|FOLDER|URL|@LIST|-",
        help="Images, folders (searched recursively), URLs, @LIST files of paths, - for paths on "
        "standard input; files of images (.tar, .tar.gz, .rec, .bin, .parquet, video), or one "
        "image in them: a.tar::1.jpg.",
        show_default=False,
    ),
]
Null = Annotated[
    bool, typer.Option("--null", "-0", help="Paths in lists end with NUL, not line feed.")
]
Every = Annotated[
    int | None,
    typer.Option(
        metavar="TIME",
        parser=milliseconds,
        help="From videos one frame of each TIME (0.5s, 40ms); with it, videos in folders are "
        "taken, too.",
        show_default="0.5s",
    ),
]
Offline = Annotated[
    bool,
    typer.Option("--offline", help="Refuse URLs that need the network (also FIQA_OFFLINE=1)."),
]

Aligned = Annotated[
    bool,
    typer.Option(
        "--aligned",
        rich_help_panel=FACES,
        help="The images are aligned 112x112 crops: no detection.",
    ),
]
Detector = Annotated[
    str,
    typer.Option(
        envvar="FIQA_DETECTOR",
        autocompletion=models_of("detector"),
        rich_help_panel=FACES,
        help="A detector of 'fiqa models list', or the folder of an insightface package.",
    ),
]
Faces = Annotated[
    FaceChoice,
    typer.Option(
        rich_help_panel=FACES,
        help="All faces of an image, the one with the largest box, or the surest one.",
    ),
]
MinFace = Annotated[
    int,
    typer.Option(
        min=0, metavar="PIXELS", rich_help_panel=FACES, help="Narrower boxes are too small."
    ),
]
DetSize = Annotated[
    int,
    typer.Option(
        metavar="PIXELS",
        rich_help_panel=FACES,
        help="Images are scaled to this for detection; a multiple of 32.",
    ),
]
DetThreshold = Annotated[
    float,
    typer.Option(min=0.0, max=1.0, rich_help_panel=FACES, help="Least score of a face."),
]

Preprocessing = Annotated[
    Pixels | None,
    typer.Option(
        rich_help_panel=RECOGNISER,
        help="The pixels that the recogniser's file expects: (x/255 - 0.5)/0.5, 0 to 255, or by "
        "mean and deviation of ImageNet.",
        show_default="what an ONNX file tells, else half",
    ),
]

Device = Annotated[
    str,
    typer.Option(
        envvar="FIQA_DEVICE", rich_help_panel=MACHINE, help="auto, cpu, cuda, cuda:1 or mps."
    ),
]
Arithmetic = Annotated[
    Precision,
    typer.Option(
        envvar="FIQA_PRECISION",
        rich_help_panel=MACHINE,
        help="fp32 is exact; auto takes bf16 where the device computes it natively.",
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(min=1, rich_help_panel=MACHINE, help="Faces taken at once."),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, rich_help_panel=MACHINE, help="Threads that read and detect; one per core."
    ),
]
Unordered = Annotated[
    bool,
    typer.Option(
        "--unordered",
        rich_help_panel=REPORT,
        help="Rows as images are done, none waiting for those before it; not with --resume.",
    ),
]
DecodeTimeout = Annotated[
    float,
    typer.Option(
        min=0.1,
        metavar="SECONDS",
        rich_help_panel=MACHINE,
        help="Processor time that one image may take to decode; beyond it is unreadable.",
    ),
]
DecodeMemory = Annotated[
    float,
    typer.Option(
        min=0.5,
        metavar="GB",
        rich_help_panel=MACHINE,
        help="Memory that one image may take to decode; beyond it is unreadable.",
    ),
]

Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        rich_help_panel=REPORT,
        help="Write to FILE, and how it came about to FILE.manifest.json.",
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="csv|json|jsonl|parquet",
        rich_help_panel=REPORT,
        help="Else what the name of FILE says; else as the input, or csv; a table on a terminal.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        rich_help_panel=REPORT,
        help="Go on with the FILE of -o where the same command was interrupted.",
    ),
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        rich_help_panel=MACHINES,
        help="Take the I-th of N parts of the images, I from 1; {shard} in the FILE of -o tells "
        "which. 'fiqa merge' joins the files.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", rich_help_panel=REPORT, help="No progress and no summary."),
]
