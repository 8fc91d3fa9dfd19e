"""The model card of a training: what is known of it, and what is not."""

from pathlib import Path

from fiqa_cli import __version__
from fiqa_cli.training.loop import Report
from fiqa_cli.training.plan import Plan
from fiqa_cli.training.reporting import told

USES = {
    "distill": "fiqa score FOLDER --aligned --model {out}",
    "recogniser": "fiqa score FOLDER --aligned --model faceqan-n --recogniser {out}",
    "diffusion": "fiqa score FOLDER --aligned --model {out} --recogniser RECOGNISER",
}


def model_card(kind: str, out: Path, recipe: str, plan: Plan, report: Report, images: str) -> str:
    """Markdown for the model in `out`: `recipe` is its TOML, `images` what there was of data."""
    made = plan.architecture
    counts = ", ".join(f"{count:,} {what}" for what, count in plan.counts.items())
    return f"""# {out.resolve().name}

Trained by `fiqa train {kind}` {__version__}, {report.step:,} of {report.steps:,} steps.

| | |
|---|---|
| File | `model.safetensors` |
| Network | {made.network}{f" with the head of {made.method}" if kind == "distill" else ""} |
| Input | RGB face crop, aligned to 112×112 by five landmarks, (x / 255 − 0.5) / 0.5 |
| Data | {images}; {counts} |
| Licence | not stated: those of the data, the labels and the weights that it began with apply |

Use it:

    {USES[kind].format(out=out)}

## Recipe

`recipe.toml`, beside this card:

```toml
{recipe}```

## What is known of it

At the last checkpoint: {told(report.terms)}.

These are losses and figures of the training itself, on data like that of the training. How well the
model serves a recogniser, how it does on other faces, and how it differs between groups of people,
was not measured: `fiqa evaluate` measures the first.
"""
