"""A detector from photos and a teacher: labels, training, and the package insightface reads."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from fiqa_cli.errors import FiqaError
from fiqa_cli.faces.detector import find_detector_file
from fiqa_cli.pipeline.crop_source import find_detector
from fiqa_cli.training.detector.batches import CanvasBatches, load_sources
from fiqa_cli.training.detector.card import detector_card
from fiqa_cli.training.detector.evaluate import SURE, WEAK, Agreement, compare, operating_point
from fiqa_cli.training.detector.export import calibrate, export_onnx, load_network
from fiqa_cli.training.detector.labels import (
    Faces,
    detector,
    label_photos,
    load_labels,
    save_labels,
)
from fiqa_cli.training.detector.photos import Split, photo_names, read_photo, split_photos
from fiqa_cli.training.detector.quantise import quantise, spread
from fiqa_cli.training.detector.recipe import DetectorRecipe
from fiqa_cli.training.detector.teacher import Teacher
from fiqa_cli.training.detector.train import Run, train
from fiqa_cli.training.loop import Report
from fiqa_cli.training.recipe import to_toml
from fiqa_cli.training.reporting import Advance, silent
from fiqa_cli.zoo.checksum import sha256_of

FILE = "det_model.onnx"
"""The name tells insightface what it is."""
POINTS = tuple(number / 50 for number in range(15, 46))
"""Raw scores of which one becomes 0.5."""
ASKED = 300
"""Photos trained on that tell which one, beside the monitored ones."""
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

    `out` becomes an insightface package with a model card; its folder `work` keeps labels and a
    checkpoint (`every` so many steps). `observers` follow the steps, `advance` what is done before.
    Raises `FiqaError` where photos, teacher and recipe do not fit, or `out` holds another run.
    """
    folder, work = Path(recipe.photos).expanduser(), out / "work"
    file = find_teacher(recipe.teacher)
    names = photo_names(folder)
    _bind(recipe, file, folder, names, work)
    labels = _labels(folder, names, file, work, notify, advance)
    parts = split_photos(
        labels,
        held_out=round(recipe.held_out * len(labels)),
        monitoring=round(recipe.monitored * len(labels)),
    )
    if not any((labels[name].scores >= SURE).any() for name in parts.training):
        raise FiqaError(f"{recipe.teacher} finds no face to train on in {folder}")

    teacher = Teacher(file)
    course = recipe.course(has_parts=teacher.layout is not None)
    checkpoint = work / "checkpoint.pt"
    run = Run(course, teacher.layout, device)
    if checkpoint.exists():
        run.load(checkpoint)
    if run.done < course.steps:
        if teacher.layout is None:
            notify("the teacher is no SCRFD of residual blocks: its answers alone are learnt")
        crops = Path(recipe.crops).expanduser() if recipe.crops else None
        sources = load_sources(folder, parts.training, labels, crops)
        batches = CanvasBatches(sources, teacher, recipe.seed, recipe.batch)
        train(run, batches, checkpoint, every, observers)

    package = out / FILE
    point = _export(recipe, checkpoint, parts, folder, file, package)
    measured: list[Agreement] = []
    if parts.held_out:
        find_truth, find_faces = detector(file, WEAK), detector(package, min(THRESHOLDS))
        measured = compare(folder, parts.held_out, find_truth, find_faces, THRESHOLDS)
    toml = to_toml(recipe)
    (out / "recipe.toml").write_text(toml, encoding="utf-8")
    card = detector_card(out, recipe, toml, file, parts, point, measured)
    (out / "README.md").write_text(card, encoding="utf-8")
    return package


def _export(
    recipe: DetectorRecipe,
    checkpoint: Path,
    parts: Split,
    folder: Path,
    teacher: Path,
    package: Path,
) -> float:
    """Write the trained detector in integers; the raw score that reads 0.5 in it."""
    net = load_network(checkpoint)

    def write() -> None:
        export_onnx(net, package)
        quantise(package, (read_photo(folder / name) for name in spread(parts.training)), package)

    write()
    point = SURE
    if parts.monitoring:
        find_truth, find_faces = detector(teacher, WEAK), detector(package, min(POINTS))
        # The monitored photos are few and show few things that pass for faces; of those that were
        # trained on there are more.
        point = max(
            operating_point(
                compare(folder, names, find_truth, find_faces, POINTS), recipe.false_alarms
            )
            for names in (parts.monitoring, spread(parts.training, ASKED))
        )
    calibrate(net, point)
    write()
    return point


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
