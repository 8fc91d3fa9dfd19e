"""An evaluation as rows of a CSV file, and as JSON; each names the whole definition."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fiqa_cli.evaluation.bootstrap import CONFIDENCE, Bootstrap
from fiqa_cli.evaluation.comparison import Evaluation, Outcome, Standing
from fiqa_cli.evaluation.pauc import Kind
from fiqa_cli.records.row import Record

COLUMNS = (
    "recogniser",
    "measure",
    "limit",
    "normalised",
    "raw",
    "above_best",
    "gain",
    "area",
    "rank",
    "low",
    "high",
    "error_at_limit",
    "quality_at_limit",
    "error_at_0",
    "threshold",
    "mated",
    "non_mated",
    "dropped",
    "definition",
    "missing",
    "resamples",
    "seed",
)
"""Of the rows; `low` and `high` bound the `area`, `normalised`, `raw` or `above_best`, by which is
ranked; `gain` is the share of what a perfect order gains; `quality_at_limit` is the least quality
to ask of a face to discard no more than the limit."""

CURVE_SHARES = np.arange(101) / 100
"""Shares of discarded pairs at which JSON tells the curve, and the least quality kept there."""


def to_rows(evaluation: Evaluation, kind: Kind = "normalised") -> list[Record]:
    """A row for each recogniser, measure and limit, and for the mean of several recognisers."""
    shared = {
        "area": kind,
        "definition": str(evaluation.definition),
        "missing": evaluation.missing,
        "resamples": evaluation.resamples,
        "seed": evaluation.seed,
    }
    rows = []
    for standing in evaluation.standings:
        for row in _areas(evaluation, standing, kind):
            if standing.outcome is not None:
                curve = standing.outcome.curves[row["measure"]]
                row["error_at_limit"] = float(curve.error_at(row["limit"]))
                row["quality_at_limit"] = finite(curve.quality_at(row["limit"]))
                row |= _counts(standing.outcome)
            rows.append({name: {**row, **shared}.get(name) for name in COLUMNS})
    return rows


def to_json(evaluation: Evaluation, kind: Kind = "normalised", at: Sequence[float] = ()) -> str:
    """One object: the definition, and all results, the means over recognisers last."""
    definition = evaluation.definition
    fields = {name: getattr(definition, name) for name in definition.__slots__}
    document = {
        "definition": {"text": str(definition), **fields},
        "limits": evaluation.limits,
        "missing": evaluation.missing,
        "bootstrap": {
            "over": "identities",
            "resamples": evaluation.resamples,
            "seed": evaluation.seed,
            "confidence": CONFIDENCE,
        },
        "area": kind,
        "results": [_result(evaluation, standing, kind, at) for standing in evaluation.standings],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def shares_below(resampled: Bootstrap | None, kind: Kind) -> list[Record]:
    """How often the area of a measure is less than that of another, of the resamples."""
    if resampled is None:
        return []
    return [
        {
            "limit": limit,
            "measure": one,
            "other": other,
            "share": resampled.share_below(one, other, limit, kind),
        }
        for limit in resampled.limits
        for one in resampled.methods
        for other in resampled.methods
        if one != other
    ]


def operating_points(outcome: Outcome, shares: Sequence[float]) -> list[Record]:
    """The error at shares of discarded pairs, and the least quality that a face then needs."""
    return [
        {
            "measure": measure,
            "discard": share,
            "error": float(curve.error_at(share)),
            "quality": finite(curve.quality_at(share)),
        }
        for measure, curve in outcome.curves.items()
        for share in shares
    ]


def finite(value: Any) -> float | None:
    """A number that JSON can hold: infinity and NaN are `None`."""
    number = float(value)
    return number if math.isfinite(number) else None


def _result(evaluation: Evaluation, standing: Standing, kind: Kind, at: Sequence[float]) -> Record:
    result: Record = {
        "recogniser": standing.recogniser,
        "areas": _areas(evaluation, standing, kind),
        "share_below": shares_below(standing.resampled, kind),
    }
    if standing.outcome is not None:
        result |= _counts(standing.outcome)
        result["operating_points"] = operating_points(standing.outcome, at)
        result["curves"] = {
            measure: {
                "discard": CURVE_SHARES.tolist(),
                "error": curve.error_at(CURVE_SHARES).tolist(),
                "quality": [finite(quality) for quality in curve.quality_at(CURVE_SHARES)],
            }
            for measure, curve in standing.outcome.curves.items()
        }
    return result


def _counts(outcome: Outcome) -> Record:
    return {
        "mated": outcome.mated,
        "non_mated": outcome.non_mated,
        "dropped": outcome.dropped,
        "threshold": finite(outcome.threshold),
        "error_at_0": outcome.error,
    }


def _areas(evaluation: Evaluation, standing: Standing, kind: Kind) -> list[Record]:
    """A record for each measure and limit."""
    ranks = standing.ranks(kind)
    records = []
    for row, measure in enumerate(evaluation.measures):
        for column, limit in enumerate(evaluation.limits):
            record: Record = {"recogniser": standing.recogniser, "measure": measure, "limit": limit}
            for name, areas in standing.areas.items():
                record[name] = finite(areas[row, column])
            record["gain"] = finite(standing.gain[row, column])
            known = record[kind] is not None
            record["rank"] = int(ranks[row, column]) if known else None
            if standing.resampled is not None:
                bounds = standing.resampled.interval(measure, limit, CONFIDENCE, kind)
                record["low"], record["high"] = map(finite, bounds)
            records.append(record)
    return records
