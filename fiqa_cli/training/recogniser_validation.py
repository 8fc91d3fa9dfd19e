"""How close `fr-n` comes to its teacher, on identities that it never saw.

    python -m fiqa_cli.training.recogniser_validation --weights weights/fr-n.safetensors \
        --bank BANK --teacher imagenet:TEACHER.onnx --crops DIR \
        --judge raw:JUDGE.onnx

Prints what `training.recogniser.watch` says of the held-out identities of the bank; the true accept
rate on all pairs of the first crops of a folder; and, on degraded copies of crops of that folder,
how the cosine between a copy and its mirror image ranks the cosine that judges, other recognisers,
find between the copy and the clean crop.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.training.bank import Bank, open_bank
from fiqa_cli.training.crops import HELD_OUT_IDENTITIES, hold_out, list_crops, read_crop
from fiqa_cli.training.degradations import degrade
from fiqa_cli.training.embeddings import Recogniser, cosine, normalised
from fiqa_cli.training.export import load_exported
from fiqa_cli.training.quality_validation import spearman, table
from fiqa_cli.training.recogniser import embed, watch

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
    weights: Path,
    bank: Bank,
    bank_seed: int,
    teacher: Recogniser,
    folder: Path,
    judges: list[Recogniser],
    seed: int,
    limit: int,
) -> str:
    """The tables as text; `limit` is how many crops of `folder` are degraded."""
    network = load_exported(weights)
    held_out = np.flatnonzero(hold_out(bank.identities, HELD_OUT_IDENTITIES, bank_seed))
    watched = watch(network, bank, held_out)

    paths, identities = list_crops(folder)
    paired = np.stack([read_crop(path) for path in paths[:PAIRED]])
    rates = {
        weights.stem: [true_accept_rate(embed(network, paired), identities[:PAIRED])],
        teacher.path.stem: [true_accept_rate(teacher.embed(paired), identities[:PAIRED])],
    }

    taken = np.linspace(0, len(paths) - 1, min(limit, len(paths))).round().astype(int)
    clean = np.stack([read_crop(paths[index]) for index in taken])
    degraded = np.stack(
        [degrade(crop, seed, index)[0] for crop, index in zip(clean, taken, strict=True)]
    )
    mirror = np.ascontiguousarray(degraded[:, :, ::-1])
    utilities = [cosine(judge.embed(clean), judge.embed(degraded)) for judge in judges]
    symmetry = {
        weights.stem: cosine(embed(network, degraded), embed(network, mirror)),
        teacher.path.stem: cosine(teacher.embed(degraded), teacher.embed(mirror)),
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
                {weights.stem: list(watched.values())},
            ),
            table(f"first {len(paired)} crops, all pairs", ["TAR, FMR 1e-3"], rates),
            table(
                f"mirror cosine, {len(degraded)} copies, seed {seed}",
                [judge.path.stem for judge in judges],
                ranks,
            ),
        )
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Validate fr-n against its teacher.")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--bank", type=Path, required=True, help="made by training.bank")
    parser.add_argument("--bank-seed", type=int, default=1, help="seed of the training")
    parser.add_argument("--teacher", required=True, help="as INPUT:PATH")
    parser.add_argument("--crops", type=Path, required=True, help="folder of identity folders")
    parser.add_argument(
        "--judge", action="append", required=True, help="recogniser, as INPUT:PATH; repeatable"
    )
    parser.add_argument("--seed", type=int, default=100, help="of the copies, not of training")
    parser.add_argument("--limit", type=int, default=1000, help="at most this many copies")
    options = parser.parse_args()
    text = report(
        options.weights,
        open_bank(options.bank),
        options.bank_seed,
        Recogniser.parse(options.teacher),
        options.crops,
        [Recogniser.parse(text) for text in options.judge],
        options.seed,
        options.limit,
    )
    print(text, end="")


if __name__ == "__main__":
    main()
