import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fiqa_cli.errors import FiqaError
from fiqa_cli.networks.scrfd import Layout
from fiqa_cli.training.detector import batches as batches_module
from fiqa_cli.training.detector.batches import CanvasBatches
from fiqa_cli.training.detector.canvases import Sources
from fiqa_cli.training.detector.export import export_onnx, load_network
from fiqa_cli.training.detector.labels import Faces
from fiqa_cli.training.detector.loss import part_losses
from fiqa_cli.training.detector.teacher import Teacher
from fiqa_cli.training.detector.train import Course, Run, train
from training.random_scrfd import write_scrfd

COURSE = Course(steps=6, alone=3, seed=1, warmup=2)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """On canvases this small, threads cost more than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CanvasBatches:
    """Of a random teacher and a photo of noise."""
    monkeypatch.setattr(batches_module, "SHAPES", ((64, 1, 0.5), (96, 2, 0.5)))
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (80, 80, 3), dtype=np.uint8)
    faces = Faces(
        np.array([[20, 20, 60, 60]], np.float32),
        np.full((1, 5, 2), 40, np.float32),
        np.array([0.9], np.float32),
    )
    write_scrfd(tmp_path / "teacher.onnx")
    teacher = Teacher(tmp_path / "teacher.onnx")
    return CanvasBatches(Sources([photo], [faces], [photo // 2]), teacher, seed=1)


def begun(course: Course, batches: CanvasBatches) -> Run:
    run = Run(course, batches.teacher.layout)
    run.measure(batches)
    return run


def test_a_batch_depends_on_seed_and_step_alone_and_holds_what_the_teacher_makes_of_it(batches):
    batch, again, other = batches[5], batches[5], replace(batches, seed=4)[5]
    assert torch.equal(batch.pictures, again.pictures)
    assert batch.pictures.shape != other.pictures.shape or (batch.pictures != other.pictures).any()
    answers, parts = batches.teacher(batch.pictures)
    assert all(torch.equal(a, b) for a, b in zip(answers, batch.answers, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(parts, batch.parts, strict=True))
    assert batch.pictures.abs().max() <= 1


def test_batches_have_as_many_pixels_whatever_their_canvases(batches):
    shapes = {tuple(batches[step].pictures.shape) for step in range(12)}
    assert shapes == {(8, 3, 64, 64), (4, 3, 96, 96)}


def test_a_resumed_run_ends_with_the_same_weights(batches, tmp_path):
    whole = Run(COURSE, batches.teacher.layout)
    train(whole, batches, tmp_path / "whole.pt")

    for done in (2, 4):  # while the parts are alone, and after
        interrupted = begun(COURSE, batches)
        for step in range(done):
            interrupted.step(batches[step])
        interrupted.save(tmp_path / "part.pt")
        resumed = Run(COURSE, batches.teacher.layout)
        resumed.load(tmp_path / "part.pt")
        train(resumed, batches, tmp_path / "part.pt")
        assert resumed.done == whole.done == COURSE.steps
        for wanted, found in (
            (whole.net.state_dict(), resumed.net.state_dict()),
            (whole.averaged.state_dict(), resumed.averaged.state_dict()),
        ):
            assert all(torch.equal(wanted[key], found[key]) for key in wanted)


@pytest.mark.parametrize("alone", [30, 0])
def test_the_student_comes_closer_to_the_teacher_alone_and_together(alone, batches):
    run = begun(Course(steps=60, alone=alone, seed=1, warmup=1), batches)
    batch = batches[0]
    losses = [run.step(batch).tolist() for _ in range(25)]
    assert losses[-1][0] < 0.7 * losses[0][0]
    assert losses[-1][4] < 0.7 * losses[0][4]


def test_alone_a_part_does_not_learn_what_others_need(batches):
    """The first step changes the stem by its own output's error alone."""
    run = begun(COURSE, batches)
    batch = batches[0]
    wanted = begun(COURSE, batches)
    error = part_losses(wanted.net.parts(batch.pictures, batch.parts), batch.parts)[0]
    error.backward()
    stem = wanted.net.blocks[0]
    run.step(batch)
    for own, alone in zip(run.net.blocks[0].parameters(), stem.parameters(), strict=True):
        agree = torch.nn.functional.cosine_similarity(own.grad.flatten(), alone.grad.flatten(), 0)
        assert agree > 0.98  # bfloat16 where the CPU computes in it


def test_statistics_are_measured_once_and_stay(batches):
    run = begun(COURSE, batches)
    names = [name for name in run.net.state_dict() if "running" in name]
    before = {name: run.net.state_dict()[name].clone() for name in names}
    assert any((value != 0).any() for name, value in before.items() if "mean" in name)
    for step in range(4):
        run.step(batches[step])
    assert all(torch.equal(run.net.state_dict()[name], before[name]) for name in names)
    assert all(torch.equal(run.averaged.state_dict()[name], before[name]) for name in names)


def test_parts_begin_in_the_range_of_the_teachers(batches):
    run = begun(COURSE, batches)
    batch = batches[0]
    with torch.no_grad():
        found = run.net.parts(batch.pictures, batch.parts)
        plain = Run(COURSE, batches.teacher.layout).net.parts(batch.pictures, batch.parts)
    begin, without = (part_losses(parts, batch.parts) for parts in (found, plain))
    trunks = slice(len(begin) - 3, None)
    assert (begin[trunks] < 4).all()
    assert begin[trunks].sum() < without[trunks].sum()


def test_a_teacher_that_shows_its_answers_alone_is_learnt_from(batches, tmp_path):
    layout = Layout(((8, 1), (8, 1), (8, 1), (8, 1)), 8, 8)
    export_onnx(Run(COURSE, layout).net, tmp_path / "answers.onnx")
    of_answers = replace(batches, teacher=Teacher(tmp_path / "answers.onnx"))
    assert of_answers.teacher.layout is None
    run = Run(replace(COURSE, alone=0), layout)
    told = []
    train(run, of_answers, tmp_path / "run.pt", observers=[told.append])
    assert set(told[-1].terms) == {"loss", "score", "box", "landmark"}
    torch.testing.assert_close(
        load_network(tmp_path / "run.pt").state_dict(), dict(run.averaged.state_dict())
    )


def test_another_training_is_refused(batches, tmp_path):
    run = begun(COURSE, batches)
    run.save(tmp_path / "run.pt")
    for course, layout in (
        (replace(COURSE, seed=2), run.layout),
        (replace(COURSE, steps=7), run.layout),
        (COURSE, Layout()),
    ):
        with pytest.raises(FiqaError, match="another training"):
            Run(course, layout).load(tmp_path / "run.pt")


def test_a_loss_that_is_not_finite_ends_the_training(batches, tmp_path):
    run = begun(replace(COURSE, rate=float("inf")), batches)
    run.step(batches[0])
    with pytest.raises(FiqaError, match="not finite"):
        train(run, batches, tmp_path / "run.pt")


def test_the_rate_rises_and_falls_twice():
    course = Course(steps=300, alone=100, seed=1, rate=1.0, warmup=10)
    rates = [course.rate_at(step) for step in range(300)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert rates[10:41] == [1.0] * 31
    assert rates[99] == pytest.approx(0.1 + 0.9 / 60)
    assert rates[100:110] == pytest.approx(0.35 * np.arange(1, 11) / 10)
    assert rates[119] == pytest.approx(0.35)
    assert rates[299] == pytest.approx(0.35 / 180)
    assert all(a > b for a, b in itertools.pairwise(rates[120:]))
