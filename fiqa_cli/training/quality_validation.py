"""How well a quality predicts what degradation does to embeddings, beside simple baselines.

    python -m fiqa_cli.training.quality_validation --model ediffiqa-n \
        --crops DIR --recogniser raw:JUDGE.onnx --recogniser imagenet:TEACHER.onnx

Every crop gets a copy degraded by `(seed, index)`. The judge is the cosine between a recogniser's
embeddings of the crop and of its copy; a measure is good if its Spearman correlation to the
cosine is high. Measures see the copy only. A copy is recognised if its cosine to the centre of its
identity is one that only a thousandth of the strangers reach.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch.nn import functional as F

from fiqa_cli.methods.catalogue import load_method
from fiqa_cli.methods.method import Method
from fiqa_cli.methods.precision import Precision
from fiqa_cli.training.crops import open_crops
from fiqa_cli.training.degradations import DEGRADATIONS, degrade
from fiqa_cli.training.embeddings import Teacher, cosine, open_teacher
from fiqa_cli.training.labels import class_centres, impostor_threshold

Values = NDArray[np.float32]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def spearman(a: Values, b: Values) -> float:
    """Spearman's rank correlation in [-1, 1]."""
    return float(spearmanr(a, b).statistic)


def qualities(method: Method, crops: NDArray[np.uint8]) -> Values:
    """Quality `[N]` of crops `[N, 112, 112, 3]`."""
    batches = torch.from_numpy(crops).permute(0, 3, 1, 2).split(method.batch_size)  # type: ignore[no-untyped-call]
    return torch.cat([method.score(batch).quality for batch in batches]).numpy()


def sharpness(crops: NDArray[np.uint8]) -> Values:
    """Variance of the Laplacian of the luma, `[N]`: the usual measure of focus."""
    luma = torch.from_numpy(crops).float() @ torch.tensor((0.299, 0.587, 0.114))
    kernel = torch.tensor(((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0)))
    edges = F.conv2d(luma[:, None], kernel[None, None])
    return edges.flatten(1).var(1).numpy()


def table(title: str, columns: list[str], rows: dict[str, list[float]]) -> str:
    """Text with one line per row and three decimals."""
    lines = [f"{title:40s}" + "".join(f"{name:>14s}" for name in columns)]
    lines += [f"{name:40s}" + "".join(f"{v:14.3f}" for v in row) for name, row in rows.items()]
    return "\n".join(lines) + "\n"


def report(method: Method, folder: Path, recognisers: list[Teacher], seed: int, limit: int) -> str:
    """Degrade, embed and score at most `limit` crops of `folder`; the tables as text."""
    crops = open_crops([folder])
    taken = np.linspace(0, len(crops) - 1, min(limit, len(crops))).round().astype(int)
    identities = np.unique(crops.identities[taken], return_inverse=True)[1]
    clean = crops.read_all(taken)
    copies, kinds, strengths = zip(
        *(degrade(crop, seed, index) for crop, index in zip(clean, taken, strict=True)),
        strict=True,
    )
    degraded, kind, strength = np.stack(copies), np.array(kinds), np.array(strengths)
    clean_quality, quality = qualities(method, clean), qualities(method, degraded)
    measures = {method.name: quality, "Laplacian sharpness": sharpness(degraded)}

    judges, to_centre, recognised = [], [], []
    for recogniser in recognisers:
        original, embedding = recogniser.embed(clean), recogniser.embed(degraded)
        judges.append(cosine(original, embedding))
        measures[f"embedding norm, {recogniser.name}"] = np.linalg.norm(embedding, axis=1)
        centres = class_centres(original, identities)
        threshold = impostor_threshold(original, identities, centres)
        to_centre.append(spearman(clean_quality, cosine(original, centres[identities])))
        recognised.append(cosine(embedding, centres[identities]) >= threshold)

    def against_judges(values: Values, rows: NDArray[np.bool_]) -> list[float]:
        return [spearman(values[rows], judge[rows]) for judge in judges]

    everywhere = np.ones(len(clean), bool)
    by_measure = {name: against_judges(values, everywhere) for name, values in measures.items()}
    by_kind = {name: against_judges(quality, kind == name) for name in DEGRADATIONS}
    groups = {"clean": clean_quality}
    for quarter in range(4):
        inside = np.floor(strength * 4) == quarter
        groups[f"strength {quarter / 4} to {(quarter + 1) / 4}"] = quality[inside]
    names = [recogniser.name for recogniser in recognisers]
    return "\n".join(
        (
            f"{len(clean)} crops, one degraded copy each, seed {seed}\n",
            table("Spearman to cosine, copy to clean", names, by_measure),
            table(f"{method.name} by degradation", names, by_kind),
            table("clean crops, to cosine with the centre", names, {method.name: to_centre}),
            table(
                "copies recognised at FMR 1e-3",
                ["share of all", *names],
                recognised_shares(quality, recognised),
            ),
            table(
                f"quantiles of {method.name}",
                [f"{point:.2f}" for point in QUANTILES],
                {name: list(np.quantile(values, QUANTILES)) for name, values in groups.items()},
            ),
        )
    )


def recognised_shares(
    quality: Values, recognised: list[NDArray[np.bool_]]
) -> dict[str, list[float]]:
    """By tenths of quality: the share of all copies, and what each recogniser recognises of it."""
    tenth = np.clip(np.floor(quality * 10), 0, 9).astype(int)
    shares = {}
    for number in np.unique(tenth):
        inside = tenth == number
        of_these = [float(hits[inside].mean()) for hits in recognised]
        shares[f"quality {number / 10} to {(number + 1) / 10}"] = [float(inside.mean()), *of_these]
    return shares


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Validate a quality model on degraded crops.")
    parser.add_argument("--model", required=True, help="of 'fiqa models list', or a weights file")
    parser.add_argument("--crops", type=Path, required=True, help="folder of identity folders")
    parser.add_argument(
        "--recogniser",
        action="append",
        required=True,
        help="judge: a name or a file, PIXELS:FILE; repeatable",
    )
    parser.add_argument("--seed", type=int, default=100, help="not the seed of training")
    parser.add_argument("--limit", type=int, default=10**9, help="at most this many crops")
    options = parser.parse_args()
    judges = [open_teacher(text) for text in options.recogniser]
    method = load_method(options.model, torch.device("cpu"), Precision.FP32).method
    print(report(method, options.crops, judges, options.seed, options.limit), end="")


if __name__ == "__main__":
    main()
