"""The row: one per face; one with empty face fields where an image gave none."""

from dataclasses import dataclass, field

STATUSES = ("ok", "no-face", "unreadable", "too-small", "failed")


@dataclass(slots=True)
class Row:
    """One line of a report. Numbers in pixels of the upright image; `None` where missing."""

    path: str
    """As the user gave it; bytes that are not UTF-8 as surrogate escapes (`os.fsdecode`)."""
    face: int | None = None
    """Number of the face within its image, from 0, in order of falling detector score."""
    status: str = "ok"
    quality: float | None = None
    model: str = ""
    detector: str = ""
    det_score: float | None = None
    x1: float | None = None
    y1: float | None = None
    x2: float | None = None
    y2: float | None = None
    width: int | None = None
    """Width of the image."""
    height: int | None = None
    inter_eye: float | None = None
    """Distance between the two eye landmarks."""
    error: str = ""
    details: dict[str, float] = field(default_factory=dict)
    """With `--details`: landmarks (`eye_left_x` …) and the method's components."""


COLUMNS: tuple[str, ...] = (
    "path",
    "face",
    "status",
    "quality",
    "model",
    "detector",
    "det_score",
    "x1",
    "y1",
    "x2",
    "y2",
    "width",
    "height",
    "inter_eye",
    "error",
)
"""The columns every report has, in order; `--details` adds more behind them."""
