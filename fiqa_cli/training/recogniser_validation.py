"""How close `fr-n` comes to its teacher, on identities that it never saw.

    python -m fiqa_cli.training.recogniser_validation --weights weights/fr-n.safetensors \
        --recipe weights/fr-n.toml --teacher imagenet:TEACHER.onnx --crops DIR \
        --judge raw:JUDGE.onnx

Prints what `training.recogniser.watch` says of the held-out identities of the training; the true
accept rate on all pairs of the first crops of a folder; and, on degraded copies of crops of that
folder, how the cosine between a copy and its mirror image ranks the cosine that judges, other
recognisers, find between the copy and the clean crop.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.training.crops import hold_out, open_crops
from fiqa_cli.training.degradations import degrade
from fiqa_cli.training.embeddings import Teacher, cosine, normalised, open_teacher
from fiqa_cli.training.pictures import Pictures
from fiqa_cli.training.quality_validation import spearman, table
from fiqa_cli.training.recipe import make_recipe
from fiqa_cli.training.recogniser import RecogniserRecipe, watch

FALSE_MATCH_RATE = 1e-3
PAIRED = 600


def true_accept_rate(
    embeddings: NDArray[np.float32],
    identities: NDArray[np.int64],
    false_match_rate: float = FALSE_MATCH_RATE,
) -> float:
    """Share of the mated pairs above the cosine that `false_match_rate` of the others reach.

    All pairs of the rows `[N, D]`, each once.
    """
    unit = normalised(embeddings)
    first, second = np.triu_indices(len(unit), 1)
    similarity = (unit @ unit.T)[first, second]
    mated = identities[first] == identities[second]
    threshold = np.quantile(similarity[~mated], 1 - false_match_rate)
    return float((similarity[mated] >= threshold).mean())


def report(
    recogniser: Teacher,
    recipe: RecogniserRecipe,
    teacher: Teacher,
    folder: Path,
    judges: list[Teacher],
    seed: int,
    limit: int,
) -> str:
    """The tables as text; `limit` is how many crops of `folder` are degraded."""
    trained = open_crops([Path(source) for source in recipe.data])
    pictures = Pictures(trained, recipe.copies, recipe.seed)
    held_out = np.flatnonzero(hold_out(trained.identities, recipe.held_out, recipe.seed))
    both = [teacher.embed(pictures.read(held_out * pictures.columns + i)) for i in (0, 1)]
    watched = watch(recogniser.embed, pictures, np.stack(both, axis=1), held_out)

    crops = open_crops([folder])
    paired, identities = crops.read_all(range(min(PAIRED, len(crops)))), crops.identities[:PAIRED]
    rates = {
        each.name: [true_accept_rate(each.embed(paired), identities)]
        for each in (recogniser, teacher)
    }

    taken = np.linspace(0, len(crops) - 1, min(limit, len(crops))).round().astype(int)
    clean = crops.read_all(taken)
    degraded = np.stack(
        [degrade(crop, seed, index)[0] for crop, index in zip(clean, taken, strict=True)]
    )
    mirror = np.ascontiguousarray(degraded[:, :, ::-1])
    utilities = [cosine(judge.embed(clean), judge.embed(degraded)) for judge in judges]
    symmetry = {
        each.name: cosine(each.embed(degraded), each.embed(mirror))
        for each in (recogniser, teacher)
    }
    ranks = {
        name: [spearman(values, utility) for utility in utilities]
        for name, values in symmetry.items()
    }
    return "\n".join(
        (
            table(
                f"{len(held_out)} held-out crops",
                list(watched),
                {recogniser.name: list(watched.values())},
            ),
            table(f"first {len(paired)} crops, all pairs", ["TAR, FMR 1e-3"], rates),
            table(
                f"mirror cosine, {len(degraded)} copies, seed {seed}",
                [judge.name for judge in judges],
                ranks,
            ),
        )
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Validate fr-n against its teacher.")
    parser.add_argument("--weights", required=True, help="recogniser: a name or a file")
    parser.add_argument("--recipe", type=Path, required=True, help="TOML that it was trained by")
    parser.add_argument("--teacher", required=True, help="as PIXELS:FILE")
    parser.add_argument("--crops", type=Path, required=True, help="folder of identity folders")
    parser.add_argument(
        "--judge", action="append", required=True, help="recogniser, as PIXELS:FILE; repeatable"
    )
    parser.add_argument("--seed", type=int, default=100, help="of the copies, not of training")
    parser.add_argument("--limit", type=int, default=1000, help="at most this many copies")
    options = parser.parse_args()
    text = report(
        open_teacher(options.weights),
        make_recipe(RecogniserRecipe, options.recipe, {}),
        open_teacher(options.teacher),
        options.crops,
        [open_teacher(text) for text in options.judge],
        options.seed,
        options.limit,
    )
    print(text, end="")


if __name__ == "__main__":
    main()
