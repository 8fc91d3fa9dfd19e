"""Run the teacher on a pool of canvases and keep what it makes of them, for the student."""

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from fiqa_cli.methods.device import cores
from fiqa_cli.training.detector.augmentation import STYLES
from fiqa_cli.training.detector.batches import CanvasBatches, load_sources, to_tensor
from fiqa_cli.training.detector.labels import load_labels
from fiqa_cli.training.detector.photos import photo_names, split_photos
from fiqa_cli.training.detector.teacher import Teacher
from fiqa_cli.training.detector.teacher_memory import TeacherMemory
from fiqa_cli.training.reporting import Advance, on_preparation, silent


def remember(
    batches: CanvasBatches,
    memory: TeacherMemory,
    teacher: Path,
    pool: int,
    advance: Advance = silent,
) -> None:
    """Store what the detector `teacher` makes of the batches 0 … `pool` − 1; kept if there already.

    Raises `FiqaError` if the teacher shows no features.
    """
    memory.folder.mkdir(parents=True, exist_ok=True)
    # As many batches at once as there are cores: composing one does not use them all.
    judge = Teacher(teacher, threads=1)

    def store(index: int) -> None:
        if not memory.path(index).exists():
            canvases = [canvas for canvas, _ in batches.compose(index)]
            memory.store(index, judge(to_tensor(canvases)))

    with ThreadPoolExecutor(cores()) as workers:
        for done, _ in enumerate(workers.map(store, range(pool)), 1):
            advance("remembering the teacher", done, pool)


def main() -> None:
    """Store the teacher's judgement of a pool of canvases; what is stored already is kept."""
    parser = argparse.ArgumentParser(
        description=main.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--labels", type=Path, required=True, help="what `labels` wrote")
    parser.add_argument("--crops", type=Path, help="folder of aligned crops, to be pasted")
    parser.add_argument("--teacher", type=Path, required=True, help="teacher detector, ONNX")
    parser.add_argument("--memory", type=Path, required=True, help="folder to write")
    parser.add_argument("--style", choices=STYLES, default="near", help="of the canvases")
    parser.add_argument("--pool", type=int, default=2000, help="batches of canvases")
    parser.add_argument("--seed", type=int, default=2026, help="of the canvases")
    options = parser.parse_args()

    names = split_photos(photo_names(options.photos)).training
    labels = load_labels(options.labels)
    sources = load_sources(options.photos, names, labels, crops=options.crops)
    style = STYLES[options.style]
    batches = CanvasBatches(sources, options.seed, (style, style), 0)
    memory = TeacherMemory(options.memory)
    with on_preparation(Console(stderr=True)) as advance:
        remember(batches, memory, options.teacher, options.pool, advance)


if __name__ == "__main__":
    main()
