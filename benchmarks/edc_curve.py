"""Time and peak memory of curves and areas of many methods on a million mated pairs.

    python benchmarks/edc_curve.py [--pairs 1000000] [--methods 10] [--re-estimated] [--resamples N]

As many non-mated pairs as mated ones. Qualities are per face and float32, as models give them;
the pairs refer to faces. Only the making of curves and areas is timed, not that of the data.
"""

import argparse
import resource
import time

import numpy as np

from fiqa_cli.evaluation import Definition, bootstrap, edc, pauc

FACES_PER_IDENTITY = 20


def main() -> None:
    """Make pairs, take the curve of each method, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--methods", type=int, default=10)
    parser.add_argument("--re-estimated", action="store_true")
    parser.add_argument("--resamples", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    faces = max(options.pairs // 10, 4 * FACES_PER_IDENTITY)
    identity = np.arange(faces) // FACES_PER_IDENTITY
    mated = np.arange(2 * options.pairs) < options.pairs
    first = rng.integers(0, faces, len(mated))
    shift = rng.integers(1, FACES_PER_IDENTITY, len(mated))
    within = first - first % FACES_PER_IDENTITY + (first + shift) % FACES_PER_IDENTITY
    across = (first + FACES_PER_IDENTITY + shift) % faces
    pairs = np.column_stack([first, np.where(mated, within, across)])
    utility = rng.normal(0.5, 0.15, faces)
    worse = utility[pairs].min(1)
    similarity = np.where(mated, worse, 0) + rng.normal(0, 0.12, len(mated))
    qualities = [
        (utility + rng.normal(0, 0.05 * method, faces)).astype(np.float32)
        for method in range(options.methods)
    ]
    definition = Definition(re_estimated=options.re_estimated)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000

    start, busy = time.perf_counter(), time.process_time()
    for number, quality in enumerate(qualities):
        curve = edc(similarity, quality[pairs], mated, definition)
        areas = pauc(curve)
        figures = "  ".join(f"pAUC({area.limit:g}) {area.normalised:.4f}" for area in areas)
        print(f"method {number}: {len(curve.discard):,} points  {figures}")
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(
        f"{options.methods} methods, {len(mated):,} pairs, {definition}: {seconds:.2f} s "
        f"({busy:.2f} s of processor), {peak:.0f} MB peak, {before:.0f} MB of them for the data"
    )
    if options.resamples:
        start = time.perf_counter()
        by_name = {str(number): quality[pairs] for number, quality in enumerate(qualities)}
        bootstrap(
            similarity, by_name, mated, identity[pairs], definition, resamples=options.resamples
        )
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        print(f"{options.resamples} resamples of all: {seconds:.2f} s, {peak:.0f} MB peak")


if __name__ == "__main__":
    main()
