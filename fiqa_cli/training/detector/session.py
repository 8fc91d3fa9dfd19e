"""A detector from photos and a teacher: labels, phases, and the package that insightface reads."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from fiqa_cli.errors import FiqaError
from fiqa_cli.faces.detector import find_detector_file
from fiqa_cli.pipeline.crop_source import find_detector
from fiqa_cli.training.detector.answers import TeacherHead
from fiqa_cli.training.detector.augmentation import STYLES, Sources
from fiqa_cli.training.detector.batches import (
    CanvasBatches,
    Turns,
    canvas_styles,
    in_turn,
    load_sources,
)
from fiqa_cli.training.detector.card import detector_card
from fiqa_cli.training.detector.evaluate import SURE, WEAK, Agreement, compare, operating_point
from fiqa_cli.training.detector.export import calibrate, export_onnx, mean_network
from fiqa_cli.training.detector.labels import (
    Faces,
    detector,
    label_photos,
    load_labels,
    save_labels,
)
from fiqa_cli.training.detector.mine import failures
from fiqa_cli.training.detector.phases import Phase
from fiqa_cli.training.detector.photos import Split, photo_names, read_photo, split_photos
from fiqa_cli.training.detector.quantise import quantise, spread
from fiqa_cli.training.detector.recipe import DetectorRecipe
from fiqa_cli.training.detector.remember import remember
from fiqa_cli.training.detector.teacher import Teacher
from fiqa_cli.training.detector.teacher_memory import TeacherMemory
from fiqa_cli.training.detector.train import TEACHER_CHANNELS, Run, train
from fiqa_cli.training.loop import Report
from fiqa_cli.training.recipe import to_toml
from fiqa_cli.training.reporting import Advance, silent
from fiqa_cli.zoo.checksum import sha256_of

FILE = "det_model.onnx"
"""The name tells insightface what it is."""
POINTS = tuple(number / 50 for number in range(15, 46))
"""Raw scores of which one becomes 0.5."""
THRESHOLDS = (0.4, 0.5, 0.6)
"""At which the finished detector is measured."""


def train_detector(
    recipe: DetectorRecipe,
    out: Path,
    device: torch.device,
    *,
    every: int = 200,
    observers: Sequence[Callable[[Report], None]] = (),
    notify: Callable[[str], None] = lambda line: None,
    advance: Advance = silent,
) -> Path:
    """Train by `recipe` in the folder `out`, or go on there; the ONNX file of the package.

    `out` becomes an insightface package with a model card; its folder `work` keeps labels,
    checkpoints (`every` so many steps) and what the teacher was asked. `observers` follow the steps
    of all phases, `advance` what is done before and between them.
    Raises `FiqaError` where photos, teacher and recipe do not fit, or `out` holds another run.
    """
    folder, work = Path(recipe.photos).expanduser(), out / "work"
    teacher = find_teacher(recipe.teacher)
    names = photo_names(folder)
    plan = list(recipe.plan())
    if any(pool for _, _, pool in plan):
        Teacher(teacher)  # one that shows no features is refused now, not after three phases
    _bind(recipe, teacher, folder, names, work)
    labels = _labels(folder, names, teacher, work, notify, advance)
    parts = split_photos(
        labels,
        held_out=round(recipe.held_out * len(labels)),
        monitoring=round(recipe.monitored * len(labels)),
    )
    if not any((labels[name].scores >= SURE).any() for name in parts.training):
        raise FiqaError(f"{recipe.teacher} finds no face to train on in {folder}")
    checkpoints = {number: work / f"phase-{number}.pt" for number in recipe.numbers}

    def finished(number: int) -> list[Path]:
        """The checkpoints of which the mean is what has been learnt by the end of a phase.

        Phases 6 and 7 end alike, and of two such the mean does better than either.
        """
        return [checkpoints[each] for each in ((6, 7) if number == 7 else (number,))]

    def export(sources: Sequence[Path], path: Path, quantised: bool = False) -> float:
        """Write the detector of these checkpoints; the raw score that reads 0.5 in it."""
        net = mean_network(sources)

        def write() -> None:
            export_onnx(net, path)
            if quantised:
                seen = (read_photo(folder / name) for name in spread(parts.training))
                quantise(path, seen, path)

        write()
        point = SURE
        if parts.monitoring:
            find_truth, find_faces = detector(teacher, WEAK), detector(path, min(POINTS))
            found = compare(folder, parts.monitoring, find_truth, find_faces, POINTS)
            point = operating_point(found, recipe.false_alarms)
        calibrate(net, point)
        write()
        return point

    steps = sum(phase.steps for _, phase, _ in plan)
    before = 0
    for number, phase, pool in plan:
        checkpoint = checkpoints[number]
        hard: list[str] = []
        if "mined" in phase.styles:
            student = work / f"phase-{number - 1}.onnx"
            if not student.exists():
                export([checkpoints[number - 1]], student)
            hard = _mined(folder, parts, labels, student, work / f"hard-{number}.json", advance)
        sources = _sources(recipe, phase, folder, parts, labels, hard)
        early, late = (STYLES[name] for name in phase.styles)
        plain = CanvasBatches(
            sources, recipe.seed, (early, late), phase.closing, canvases=recipe.batch
        )
        if pool and (memory := TeacherMemory(work / f"memory-{number}")).pool < pool:
            remember(plain, memory, teacher, pool, advance)
        taken = phase.answers or ((number,) if pool else ())
        memories = [TeacherMemory(work / f"memory-{each}") for each in taken]
        channels = memories[0].channels if memories else TEACHER_CHANNELS
        batches: CanvasBatches | Turns = plain
        if phase.answers:
            styles, head = canvas_styles(phase), TeacherHead(teacher)
            batches = in_turn(sources, recipe.seed, styles, memories, head, recipe.batch)
        elif memories:
            batches = replace(plain, memory=memories[0])
        run = Run(phase, device, channels)
        if checkpoint.exists():
            run.load(checkpoint)
        elif number > 1:
            run.start_from(finished(number - 1))
        if run.done < phase.steps:
            notify(f"phase {number} of {recipe.phases}: {phase.steps:,} steps")
            follow = _over_all(observers, before, run.done, steps)
            train(run, batches, checkpoint, every, follow)
        before += phase.steps

    file = out / FILE
    point = export(finished(recipe.phases), file, quantised=True)
    measured: list[Agreement] = []
    if parts.held_out:
        find_truth, find_faces = detector(teacher, WEAK), detector(file, min(THRESHOLDS))
        measured = compare(folder, parts.held_out, find_truth, find_faces, THRESHOLDS)
    toml = to_toml(recipe)
    (out / "recipe.toml").write_text(toml, encoding="utf-8")
    card = detector_card(out, recipe, toml, teacher, parts, steps, point, measured)
    (out / "README.md").write_text(card, encoding="utf-8")
    return file


def find_teacher(text: str) -> Path:
    """The ONNX file of a detector: a name of the registry, a package folder, or the file itself.

    Raises `FiqaError` if it is none of these, or its weights are not on this machine.
    """
    path = Path(text).expanduser()
    return path if path.is_file() else find_detector_file(find_detector(text))


def _bind(
    recipe: DetectorRecipe, teacher: Path, folder: Path, names: Sequence[str], work: Path
) -> None:
    """Raise `FiqaError` if `work` holds a run of another recipe, of other photos or teacher."""
    settings = asdict(recipe)
    # Places of files may change, what is in them may not.
    settings |= {"photos": _sizes(folder, names), "teacher": sha256_of(teacher)}
    if recipe.crops:
        crops = Path(recipe.crops).expanduser()
        settings["crops"] = _sizes(crops, photo_names(crops))
    file = work / "run.json"
    work.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_text(json.dumps(settings), encoding="utf-8")
        return
    before = json.loads(file.read_text(encoding="utf-8"))
    changed = sorted(name for name in settings if settings[name] != before.get(name))
    if changed:
        raise FiqaError(
            f"{work.parent} holds a run with another {' and '.join(changed)}: give the same to go "
            "on with it, or another --output"
        )


def _sizes(folder: Path, names: Sequence[str]) -> list[str]:
    return [f"{name} {(folder / name).stat().st_size}" for name in names]


def _labels(
    folder: Path,
    names: Sequence[str],
    teacher: Path,
    work: Path,
    notify: Callable[[str], None],
    advance: Advance,
) -> dict[str, Faces]:
    file = work / "labels.npz"
    if not file.exists():
        save_labels(file, label_photos(folder, names, teacher, advance=advance))
    labels = load_labels(file)
    faces = sum(int((found.scores >= SURE).sum()) for found in labels.values())
    left_out = len(names) - len(labels)
    told = f"; {left_out:,} photos cannot be read" if left_out else ""
    notify(f"{faces:,} faces in {len(labels):,} photos{told}")
    return labels


def _mined(
    folder: Path,
    parts: Split,
    labels: dict[str, Faces],
    student: Path,
    file: Path,
    advance: Advance,
) -> list[str]:
    """The training photos on which the detector `student` fails, kept in `file`."""
    if not file.exists():
        failed = failures(folder, parts.training, labels, student, advance)
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(failed), encoding="utf-8")
        partial.replace(file)
    found: list[str] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _sources(
    recipe: DetectorRecipe,
    phase: Phase,
    folder: Path,
    parts: Split,
    labels: dict[str, Faces],
    hard: Sequence[str],
) -> Sources:
    pasted = any(style.pasted for style in canvas_styles(phase))
    crops = Path(recipe.crops).expanduser() if pasted else None
    return load_sources(folder, parts.training, labels, hard, crops)


def _over_all(
    observers: Sequence[Callable[[Report], None]], before: int, done: int, steps: int
) -> list[Callable[[Report], None]]:
    """Observers of one phase that tell `observers` of the whole training.

    `before` are the steps of the phases before, `done` those of this one that were done before now.
    """
    began = time.monotonic()

    def tell(report: Report) -> None:
        step = before + report.step
        each = (time.monotonic() - began) / (report.step - done)
        for observer in observers:
            observer(replace(report, step=step, steps=steps, left=(steps - step) * each))

    return [tell]
