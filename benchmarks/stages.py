"""Where the time of a run goes, and how far it is from the bound that its arithmetic sets.

    python benchmarks/stages.py CROPS --aligned [--count 2000] [--model ediffiqa-n]
    python benchmarks/stages.py PHOTOS [--count 400]

Each stage runs for itself over the same images, on one core (scoring on all, its time multiplied
by them), then a whole run does, its models loaded before. Prints milliseconds of a core per image.
The bound is decoding and the networks' arithmetic, spread evenly over all cores: as if nothing was
listed, moved, aligned, decided or written, and no core ever idle.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from whole_runs import FIQA, listed

from fiqa_cli.faces.detector import Detector
from fiqa_cli.methods.device import cores
from fiqa_cli.pipeline.crop_check import CropCheck
from fiqa_cli.pipeline.crop_source import DEFAULT_DETECTOR, find_detector
from fiqa_cli.pipeline.photo import Photo
from fiqa_cli.pipeline.prospect import MARGIN, Prospect, crop_prospects, photo_prospects
from fiqa_cli.pipeline.score import score
from fiqa_cli.pipeline.scorer import DEFAULT_MODEL, ScoreOptions, Scorer
from fiqa_cli.records.row import Row
from fiqa_cli.records.writers import open_writer
from fiqa_cli.sources.decode import decode, decode_reduced
from fiqa_cli.sources.listing import Entry, expand

ARITHMETIC = ("decode", "detection network", "score")

Item = TypeVar("Item")
Result = TypeVar("Result")


class Stages:
    """Seconds of a core that each stage took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(
        self, name: str, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> list[Result]:
        """Apply `function` to each of `items`, on this core."""
        begun = time.perf_counter()
        results = [function(item) for item in items]
        self.seconds[name] = time.perf_counter() - begun
        return results


def prepare_crops(stages: Stages, entries: list[Entry]) -> list[Prospect]:
    """The stages from files to crops, where the images are crops."""
    stages.run("decode", lambda entry: decode(entry.path), entries)
    prospects = [prospect for entry in entries for prospect in crop_prospects(entry)]
    stages.run("look at crops", CropCheck(print).look, prospects)
    return prospects


def prepare_photos(stages: Stages, entries: list[Entry]) -> list[Prospect]:
    """The stages from files to crops, where the images are photos."""
    detector = Detector(find_detector(DEFAULT_DETECTOR))
    session = detector._model.session
    network, inside = session.run, [0.0]

    def watched(*inputs: Any) -> Any:
        begun = time.perf_counter()
        outputs = network(*inputs)
        inside[0] += time.perf_counter() - begun
        return outputs

    pictures = stages.run(
        "decode", lambda entry: decode_reduced(entry.path, MARGIN * detector.size), entries
    )
    session.run = watched
    detector.detect(pictures[0].pixels)
    inside[0] = 0.0
    found = stages.run("detection", lambda picture: detector.detect(picture.pixels), pictures)
    session.run = network
    stages.seconds["detection"] -= inside[0]
    stages.seconds["detection network"] = inside[0]

    def align(number: int) -> None:
        picture = pictures[number]
        photo = Photo(picture, partial(decode, entries[number].path))
        for face in found[number]:
            photo.crop(face.scaled(picture.reduction).landmarks)

    stages.run("align", align, range(len(entries)))
    return [prospect for entry in entries for prospect in photo_prospects(entry, detector)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("images", type=Path)
    parser.add_argument("--aligned", action="store_true")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    options = parser.parse_args()

    stages = Stages()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        listing = listed(options.images, options.count, folder)
        entries = stages.run("list", lambda entry: entry, expand([f"@{listing}"]))
        prospects = (prepare_crops if options.aligned else prepare_photos)(stages, entries)

        scorer = Scorer(ScoreOptions(model=options.model, aligned=options.aligned))
        size = scorer.batch_size
        batches = [prospects[start : start + size] for start in range(0, len(prospects), size)]

        def finish(batch: list[Prospect]) -> list[Row]:
            return list(score(batch, scorer.method))

        finish(batches[0])
        rows = list(chain.from_iterable(stages.run("score", finish, batches)))
        stages.seconds["score"] *= cores()
        with open_writer(folder / "a.csv", "csv", scorer.columns) as writer:
            stages.run("write", lambda row: writer.write([row]), rows)

        begun = time.perf_counter()
        with open_writer(folder / "b.csv", "csv", scorer.columns) as writer:
            for row in scorer.score(iter(entries)):
                writer.write([row])
        whole = time.perf_counter() - begun
        aligned = ["--aligned"] if options.aligned else []
        command = [FIQA, "score", "-q", "-m", options.model, *aligned, entries[0].path]
        begun = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL)
        single = time.perf_counter() - begun

    count = len(entries)
    total = sum(stages.seconds.values())
    print(f"{count} images, {len(rows)} rows, {options.model}, {cores()} cores")
    for stage, seconds in stages.seconds.items():
        print(f"{stage:18} {1000 * seconds / count:7.3f} ms of a core {seconds / total:6.1%}")
    print(f"{'together':18} {1000 * total / count:7.3f} ms of a core")
    bound = sum(stages.seconds.get(stage, 0.0) for stage in ARITHMETIC) / cores()
    for what, seconds in (("bound", bound), ("whole run", whole)):
        print(
            f"{what:18} {1000 * seconds / count:7.3f} ms an image {count / seconds:8.1f} images/s"
        )
    print(f"the run reaches {bound / whole:.0%} of the bound; one image alone takes {single:.1f} s")


if __name__ == "__main__":
    main()
