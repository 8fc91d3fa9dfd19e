"""The model card of a trained detector."""

from collections.abc import Sequence
from pathlib import Path

from fiqa_cli import __version__
from fiqa_cli.training.detector.evaluate import Agreement
from fiqa_cli.training.detector.photos import Split
from fiqa_cli.training.detector.recipe import DetectorRecipe
from fiqa_cli.zoo.checksum import sha256_of


def detector_card(
    out: Path,
    recipe: DetectorRecipe,
    toml: str,
    teacher: Path,
    parts: Split,
    point: float,
    measured: Sequence[Agreement],
) -> str:
    """Markdown for the detector in `out`: `toml` is its recipe, `measured` on held-out photos."""
    return f"""# {out.resolve().name}

Trained by `fiqa train detector` {__version__}: {recipe.steps:,} steps.

| | |
|---|---|
| File | `det_model.onnx`; the folder is an insightface model package |
| Network | an SCRFD with five landmarks; convolutions in integers |
| Input | RGB, (x − 127.5) / 128, any batch, height and width in multiples of 32 |
| Teacher | `{teacher.name}`, sha256 {sha256_of(teacher)} |
| Photos | {len(parts.training):,} trained on, {len(parts.monitoring):,} monitored, \
{len(parts.held_out):,} held out |
| Threshold | 0.5: a raw score of {point:.2f} |
| Licence | not stated: those of the photos and of the teacher apply |

Use it:

    fiqa score FOLDER --detector {out}

## Recipe

`recipe.toml`, beside this card:

```toml
{toml}```

## What is known of it

{_table(measured)}
It agrees with its teacher and inherits the teacher's errors; no person drew or checked a box. How
it differs between groups of people was not measured.
"""


def _table(measured: Sequence[Agreement]) -> str:
    if not measured:
        return "No photos were held out, and nothing was measured.\n"
    rows = "".join(
        f"| {each.threshold} | {each.recall:.3f} | {each.false_per_photo:.3f} | "
        f"{each.landmark_error_median:.3f} | {each.landmark_error_90:.3f} |\n"
        for each in measured
    )
    boxes, photos = measured[0].teacher_faces, measured[0].photos
    return f"""Agreement with the teacher's {boxes:,} boxes of score 0.5 and more on the {photos:,}
photos that were held out; landmark errors in inter-eye distances:

| threshold | recall, IoU ≥ 0.5 | false boxes a photo | median landmark error | 90th percentile |
|---|---|---|---|---|
{rows}"""
