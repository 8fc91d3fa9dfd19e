"""The cut that a wished FNMR takes, out of an evaluation as `fiqa evaluate` writes it in JSON."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fiqa_cli.errors import FiqaError


@dataclass(frozen=True, slots=True)
class WishedPoint:
    """The first point of a curve at which an error is low enough."""

    recogniser: str
    measure: str
    quality: float
    """The least quality to ask of a face."""
    discard: float
    """Share of the mated pairs that have a face below it."""
    mated: int
    """How many mated pairs there are."""
    fnmr: float


def point_at_fnmr(
    evaluation: Path, fnmr: float, measure: str | None = None, recogniser: str | None = None
) -> WishedPoint:
    """The point with the least discard whose FNMR is `fnmr` or less.

    The curve is known at every hundredth of the pairs, so no more than one hundredth of them is
    discarded beyond need. `measure` and `recogniser` may be left out where there is one.

    Raises `FiqaError` for a file that is no such evaluation, an unclear choice, and if no point
    but that without any pair is low enough.
    """
    document = _read(evaluation)
    try:
        if document["definition"]["error"] != "fnmr":
            raise FiqaError(f"{evaluation} tells the FMR: evaluate with --error fnmr")
        by_recogniser = {
            result["recogniser"]: result for result in document["results"] if "curves" in result
        }
        recogniser = _choose(evaluation, "recogniser", recogniser, list(by_recogniser))
        result = by_recogniser[recogniser]
        curves, mated = result["curves"], result["mated"]
        measure = _choose(evaluation, "model", measure, list(curves))
        curve = curves[measure]
        points = list(zip(curve["discard"], curve["error"], curve["quality"], strict=True))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FiqaError(
            f"{evaluation} is no evaluation with cuts: write it anew with "
            "'fiqa evaluate … -o evaluation.json'"
        ) from error
    # Where pairs lack a quality, or none is left, there is no least one.
    points = [point for point in points if point[2] is not None]
    for discard, rate, quality in points:
        if rate <= fnmr:
            return WishedPoint(recogniser, measure, quality, discard, mated, rate)
    discard, least, _ = min(points, key=lambda point: point[1])
    raise FiqaError(
        f"no cut of {measure} gives an FNMR of {fnmr:g} with {recogniser}: the least is "
        f"{least:.4g}, with {discard:.0%} of the pairs discarded"
    )


def _read(evaluation: Path) -> Any:
    try:
        return json.loads(evaluation.read_bytes())
    except OSError as error:
        raise FiqaError(f"cannot read {evaluation}: {error.strerror}") from error
    except ValueError as error:
        raise FiqaError(
            f"{evaluation} is no JSON: write it with 'fiqa evaluate … -o evaluation.json'"
        ) from error


def _choose(evaluation: Path, kind: str, asked: str | None, there: list[str]) -> str:
    if asked is None and len(there) == 1:
        return there[0]
    if asked in there:
        return str(asked)
    wrong = f"no {kind} {asked}" if asked else f"more than one {kind}"
    raise FiqaError(f"{evaluation} has {wrong}: choose of {', '.join(there)} with --{kind}")
