"""How well a picture alone can tell how similar it will be to others of its identity.

    python benchmarks/estimable.py TRAIN CROPS [CROPS ...] -o OUT.csv --judge raw:B.onnx
        [--judge raw:C.onnx ...] [--seen imagenet:A.onnx ...] [--copies 1] [--seed 1]

TRAIN and CROPS hold aligned crops, one folder for each identity. What the inner layers of all
recognisers see of a crop (`--seen`, and the judges themselves) is related to the judges' own
cosines between it and the other crops of its identity, by the ridge regression that makes labels
(`fiqa train distill --labels expected`), on TRAIN and a degraded copy of each crop. OUT.csv is what
that expects of CROPS, as a report that `fiqa evaluate` takes.

That is no quality of ours: it learns from the judges, which a fair one must not. A network that
learns from `--seen` alone and comes close to it is near what can be told from a picture by
recognisers of this size; recognisers are ONNX files with residual stages.
"""

import argparse
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fiqa_cli.methods.device import cores
from fiqa_cli.records.row import Row
from fiqa_cli.records.writers import open_writer
from fiqa_cli.training.crops import open_crops
from fiqa_cli.training.embeddings import open_inner_features, open_teacher
from fiqa_cli.training.expectation import expected, genuine_similarity
from fiqa_cli.training.labels import COPIES, are_recognisable, class_centres
from fiqa_cli.training.pictures import Pictures

Values = NDArray[np.float32]


def targets(embeddings: Values, identities: NDArray[np.int64]) -> tuple[Values, Values]:
    """Genuine similarities, standardised, and the weights of the pictures: `[N, columns]` both."""
    clean = embeddings[:, 0]
    found = genuine_similarity(embeddings, identities)
    known = are_recognisable(clean, identities, class_centres(clean, identities))
    weights = np.full(found.shape, COPIES / max(found.shape[1] - 1, 1), np.float32)
    weights[:, 0] = 1
    weights[~known | np.isnan(found).any(1)] = 0
    used = found[weights > 0]
    return (found - used.mean()) / used.std(), weights


def main() -> None:
    """Embed, regress, write the report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("train", type=Path, help="folder of identity folders to learn from")
    parser.add_argument("crops", type=Path, nargs="+", help="the same, to judge")
    parser.add_argument("-o", "--out", type=Path, required=True, help="report to write, CSV")
    parser.add_argument("--judge", action="append", required=True, help="[pixels:]recogniser.onnx")
    parser.add_argument("--seen", action="append", default=[], help="the same; not a judge")
    parser.add_argument("--copies", type=int, default=1, help="degraded copies of each crop")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    device = torch.device("cpu")
    with ThreadPoolExecutor(cores()) as pool, tempfile.TemporaryDirectory() as folder:
        train = Pictures(open_crops([options.train]), options.copies, options.seed, pool)
        crops = Pictures(open_crops(options.crops), 0, options.seed, pool)
        own: list[Values] = []
        others: list[Values] = []
        for number, name in enumerate([*options.seen, *options.judge]):
            eyes = open_inner_features(name, Path(folder, f"{number}.onnx"), device)
            for pictures, parts in ((train, own), (crops, others)):
                cache = Path(folder, f"{number}-{len(pictures)}.npz")
                seen = eyes.embed_pictures(pictures, cache)
                parts.append(seen.reshape(len(pictures), -1))
        identities = train.crops.identities
        judged = []
        for number, name in enumerate(options.judge):
            cache = Path(folder, f"judge-{number}.npz")
            judged.append(targets(open_teacher(name).embed_pictures(train, cache), identities))

    wanted = np.mean([target for target, _ in judged], axis=0).ravel()
    weights = np.min([weight for _, weight in judged], axis=0).ravel()
    # Rows of weight 0 are not learned from: those that are to be judged come after the others.
    count = len(crops)
    strangers = crops.crops.identities + int(identities.max()) + 1
    found, correlation = expected(
        np.concatenate([np.concatenate(own, 1), np.concatenate(others, 1)]),
        np.concatenate([np.where(weights > 0, wanted, 0), np.zeros(count)]).astype(np.float32),
        np.concatenate([weights, np.zeros(count)]).astype(np.float32),
        np.concatenate([np.repeat(identities, train.columns), strangers]),
        options.seed,
    )
    print(f"correlation with the similarities of other identities of TRAIN {correlation:.3f}")
    with open_writer(options.out, "csv") as writer:
        writer.write(
            Row(entry.path, quality=float(value), model="estimable", width=112, height=112)
            for entry, value in zip(crops.crops.entries, found[-count:], strict=True)
        )


if __name__ == "__main__":
    main()
