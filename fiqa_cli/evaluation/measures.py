"""Quality measures: what the models of score reports say of each face."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.pairs import Rows
from fiqa_cli.records.batches import Batch
from fiqa_cli.records.readers import open_reader
from fiqa_cli.records.row import to_integer


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """The qualities of N faces by one measure; an image without any face has one row too."""

    name: str
    paths: list[str]
    """Path of each face's image, `[N]`, as the report gives it."""
    faces: Rows
    """Number of each face within its image, `[N]` from 0; 0 also where there is none."""
    quality: NDArray[np.float64]
    """`[N]`, higher is better; NaN where there is none."""


def read_measures(reports: Sequence[Path]) -> list[Measure]:
    """The measures of reports in any format that `fiqa score` writes, by the column `model`.

    A model that several reports name is one measure, as of a dataset scored in parts; if they
    score the same faces, as with other options, each report is a measure and is named with it. A
    report without a model is a measure of its file's name. Raises `FiqaError` for a file that
    cannot be read or has no qualities, and for a face that a report scores twice.
    """
    parts: dict[str, dict[Path, Measure]] = {}
    for report in dict.fromkeys(reports):
        for measure in _read(report):
            parts.setdefault(measure.name, {})[report] = measure
    measures = []
    for name, by_report in parts.items():
        whole = _joined(name, list(by_report.values()))
        if not _repeats(whole):
            measures.append(whole)
            continue
        for report, measure in by_report.items():
            if face := _repeats(measure):
                raise FiqaError(
                    f"{report} has two qualities of {name} for {face}: remove one of the rows"
                )
            own = f"{name} ({report.name})" if len(by_report) > 1 else name
            measures.append(_joined(own, [measure]))
    names = [measure.name for measure in measures]
    if len(set(names)) < len(names):
        raise FiqaError("reports of one name score the same faces by one model: rename one")
    return measures


def _read(report: Path) -> Iterator[Measure]:
    """The measures of one report."""
    paths: dict[str, list[str]] = {}
    faces: dict[str, list[int]] = {}
    quality: dict[str, list[float]] = {}
    with open_reader(report) as reader:
        for batch in reader:
            _require_columns(report, batch)
            rows = zip(
                batch.column("model"),
                batch.paths(),
                batch.column("face"),
                batch.qualities(),
                strict=True,
            )
            for model, path, face, value in rows:
                name = model or report.stem
                paths.setdefault(name, []).append(path)
                # A crop that was given as one has no number: it is face 0, as in embeddings.
                faces.setdefault(name, []).append(to_integer("face", face) or 0)
                quality.setdefault(name, []).append(value)
    for name, values in quality.items():
        found = np.array(values)
        if np.isnan(found).all():
            raise FiqaError(f"{report} has no quality of {name} for any face: score them first")
        yield Measure(name, paths[name], np.array(faces[name]), found)
    if not quality:
        raise FiqaError(f"{report} has no rows: give a report that fiqa score wrote")


def _require_columns(report: Path, batch: Batch) -> None:
    # Objects of JSON may leave out what they have not, and an empty batch tells nothing.
    if batch.columns and (lacking := {"path", "quality"} - set(batch.columns)):
        raise FiqaError(
            f"{report} has no column {' and no column '.join(sorted(lacking))}: "
            "give a report that fiqa score wrote"
        )


def _joined(name: str, parts: Sequence[Measure]) -> Measure:
    return Measure(
        name,
        [path for part in parts for path in part.paths],
        np.concatenate([part.faces for part in parts]),
        np.concatenate([part.quality for part in parts]),
    )


def _repeats(measure: Measure) -> str:
    """A face that occurs twice, or nothing."""
    seen = set()
    for face in zip(measure.paths, measure.faces.tolist(), strict=True):
        if face in seen:
            return f"{face[0]}, face {face[1]}"
        seen.add(face)
    return ""
