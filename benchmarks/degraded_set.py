"""Make a set of clean and degraded crops, and pairs of both, to evaluate qualities on.

    python benchmarks/degraded_set.py CROPS OUT [--strength 0.5] [--seed 0]
        [--identities N] [--images K]

CROPS holds aligned crops, one folder for each identity. OUT gets `identity/name-clean.png` of each
crop, and `identity/name-KIND-STRENGTH.png` of a copy that is degraded by `(seed, number)` alone,
number being that of the crop among all of CROPS, so that a smaller set is part of a greater one.
Strengths are drawn evenly from 0 to `--strength`: 1 is what models are trained on, where a face of
the strongest is lost; at 0.5 errors are few enough for a discard curve to tell methods apart.
`--identities` and `--images` take the first of each.

`OUT/pairs.csv` compares clean crops with degraded ones, as a gallery with what a camera sees; a
crop and its own copy are no pair. Of each identity 100 mated and 500 non-mated pairs are drawn.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.crops import open_crops
from fiqa_cli.training.degradations import DEGRADATIONS, Crop, drawn

MATED, NON_MATED = 100, 500


def main() -> None:
    """Write the set and its pairs, and say how many there are."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("crops", type=Path, help="folder of identity folders")
    parser.add_argument("out", type=Path, help="new folder")
    parser.add_argument("--strength", type=float, default=1.0, help="the greatest, in (0, 1]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--identities", type=int, help="how many; all by default")
    parser.add_argument("--images", type=int, help="how many of each; all by default")
    options = parser.parse_args()
    if options.out.exists():
        raise FiqaError(f"{options.out} is already there: name a new folder")
    clean, degraded, owners = write_set(
        options.crops,
        options.out,
        options.strength,
        options.seed,
        options.identities,
        options.images,
    )
    pairs = draw_pairs(np.array(owners), np.random.default_rng(options.seed))
    lines = [f"{clean[a]},{degraded[b]},{int(owners[a] == owners[b])}" for a, b in pairs]
    (options.out / "pairs.csv").write_text("\n".join(["a,b,mated", *lines]) + "\n")
    print(f"{len(clean):,} crops of {len(set(owners)):,} identities, each clean and degraded")
    print(f"{len(pairs):,} pairs")


def write_set(
    crops: Path, out: Path, greatest: float, seed: int, identities: int | None, images: int | None
) -> tuple[list[str], list[str], list[int]]:
    """Write the crops; names of the clean ones and of their copies, and whose they are."""
    clean: list[str] = []
    degraded: list[str] = []
    owners: list[int] = []
    found = open_crops([crops])
    for index, owner in enumerate(found.identities.tolist()):
        if identities is not None and owner >= identities:
            break
        if images is not None and owners.count(owner) == images:
            continue
        crop = found.read(index)
        kind, strength, rng = drawn(seed, index)
        strength *= greatest
        copy = DEGRADATIONS[kind](crop, strength, rng)
        name = found.entries[index].path.rpartition("::")[2]
        stem = f"{found.names[owner]}/{Path(name).stem}"
        clean.append(f"{stem}-clean.png")
        degraded.append(f"{stem}-{kind}-{strength:.2f}.png")
        owners.append(owner)
        write(crop, out / clean[-1])
        write(copy, out / degraded[-1])
    return clean, degraded, owners


def draw_pairs(owners: np.ndarray, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Numbers of a clean crop and of a degraded one, of each identity's clean crops."""
    pairs: list[tuple[int, int]] = []
    for owner in np.unique(owners):
        own, others = np.flatnonzero(owners == owner), np.flatnonzero(owners != owner)
        for against, limit in ((own, MATED), (others, NON_MATED)):
            a, b = (side.ravel() for side in np.meshgrid(own, against, indexing="ij"))
            rows = np.flatnonzero(a != b)
            taken = np.sort(rng.permutation(rows)[:limit])
            pairs += zip(a[taken].tolist(), b[taken].tolist(), strict=True)
    return pairs


def write(crop: Crop, path: Path) -> None:
    """Write a crop as PNG, which keeps each pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(crop).save(path)


if __name__ == "__main__":
    main()
