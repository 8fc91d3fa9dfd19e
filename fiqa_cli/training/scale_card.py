"""What a model card says of the scale of a quality."""

import re
from pathlib import Path
from textwrap import fill

import numpy as np

from fiqa_cli.training.scaling import Calibration

TITLE = "## Scale"
WIDTH = 100


def scale_section(found: Calibration) -> str:
    """Markdown: what 0.5 and 1 mean, and what else to expect along the scale."""
    scale, pairs = found.scale, found.pairs
    faces = scale.slope * found.faces + scale.offset
    worse = scale.slope * pairs.quality + scale.offset
    outside = float(((faces < 0) | (faces > 1)).mean())
    times = found.fnmr / pairs.overall if pairs.overall else np.inf
    meaning = (
        f"**0.5 is the quality at which {found.recogniser} misses {found.fnmr:.0%} of the mated "
        f"pairs** whose worse face is of that quality, at FMR {found.fmr:g}: "
        f"{times:.1f} times as many as of all pairs of undegraded faces "
        f"({pairs.overall:.4f}). 1 is the quality that {found.top:.0%} of the undegraded faces do "
        f"not reach. Nothing is clipped: {outside:.1%} of them lie outside 0 to 1."
    )
    rows = [
        "| quality of the worse face | FNMR | mated pairs | undegraded faces |",
        "|---|---|---|---|",
    ]
    tenths, of_faces = (np.floor(values * 10).astype(int) for values in (worse, faces))
    for tenth in np.union1d(tenths, of_faces):
        inside = tenths == tenth
        missed = f"{pairs.missed[inside].mean():.3f}" if inside.any() else ""
        rows.append(
            f"| {tenth / 10:.1f} to {(tenth + 1) / 10:.1f} | {missed} | {inside.sum():,} | "
            f"{(of_faces == tenth).mean():.1%} |"
        )
    how = (
        f"Found by `fiqa train calibrate` on {len(found.faces):,} faces of {found.identities:,} "
        f"identities and {found.copies} degraded copies of each."
    )
    paragraphs = (TITLE, fill(meaning, WIDTH), "\n".join(rows), fill(how, WIDTH))
    return "\n\n".join(paragraphs) + "\n"


def insert_section(card: Path, section: str) -> None:
    """Put the section into a model card, in place of the one that is there or at the end."""
    text = card.read_text(encoding="utf-8")
    # Up to the next title of the same level.
    there = re.compile(rf"^{TITLE}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if there.search(text):
        text = there.sub(lambda _: section + "\n", text).rstrip("\n") + "\n"
    else:
        text = f"{text.rstrip()}\n\n{section}"
    card.write_text(text, encoding="utf-8")
