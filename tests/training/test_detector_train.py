from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from fiqa_cli.errors import FiqaError
from fiqa_cli.networks.scrfd import STRIDES
from fiqa_cli.training.detector import batches as batches_module
from fiqa_cli.training.detector.augmentation import CLOSE, VARIED, Sources
from fiqa_cli.training.detector.batches import CanvasBatches, to_tensor
from fiqa_cli.training.detector.labels import Faces
from fiqa_cli.training.detector.loss import Target, imitation_loss
from fiqa_cli.training.detector.phases import Phase
from fiqa_cli.training.detector.teacher import Judgement
from fiqa_cli.training.detector.teacher_memory import TeacherMemory
from fiqa_cli.training.detector.train import TEACHER_CHANNELS, Run, train

NOBODY = Faces(
    np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32)
)
PHASE = Phase(steps=4, warmup=2, decay=0.5, seed=1, closing=3)


@pytest.fixture(autouse=True)
def one_thread():
    """On canvases this small, threads cost more than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def batches(monkeypatch) -> CanvasBatches:
    monkeypatch.setattr(batches_module, "SHAPES", ((64, 8), (96, 16), (64, 16)))
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (80, 80, 3), dtype=np.uint8)
    faces = Faces(
        np.array([[20, 20, 60, 60]], np.float32),
        np.full((1, 5, 2), 40, np.float32),
        np.array([0.9], np.float32),
    )
    return CanvasBatches(
        Sources([photo], [faces], [photo // 2], np.array([0])),
        seed=1,
        styles=(VARIED, CLOSE),
        closing=3,
    )


def test_a_resumed_run_ends_with_the_same_weights(batches, tmp_path):
    whole = Run(PHASE)
    train(whole, batches, tmp_path / "whole.pt")

    interrupted = Run(PHASE)
    for step in range(2):
        interrupted.step(batches[step])
    interrupted.save(tmp_path / "part.pt")
    resumed = Run(PHASE)
    resumed.load(tmp_path / "part.pt")
    train(resumed, batches, tmp_path / "part.pt")

    assert resumed.done == whole.done == PHASE.steps
    for wanted, found in (
        (whole.net.state_dict(), resumed.net.state_dict()),
        (whole.averaged.state_dict(), resumed.averaged.state_dict()),
    ):
        assert all(torch.equal(wanted[key], found[key]) for key in wanted)


def test_the_loss_falls_on_a_batch_seen_again(batches):
    run = Run(Phase(steps=40, warmup=1))
    batch = batches[0]
    losses = [float(run.step(batch)[0]) for _ in range(12)]
    assert losses[-1] < 0.9 * losses[0]


def test_bfloat16_gives_nearly_the_losses_of_fp32_and_its_weights_stay_exact(batches):
    exact, rounded = (Run(replace(PHASE, bf16=bf16)) for bf16 in (False, True))
    batch = batches[0]
    wanted, found = exact.step(batch), rounded.step(batch)
    assert not torch.equal(wanted, found)
    torch.testing.assert_close(found, wanted, rtol=0.02, atol=1e-3)
    assert {p.dtype for p in rounded.net.parameters()} == {torch.float32}


def remember(batches: CanvasBatches, folder: Path, pool: int) -> CanvasBatches:
    """A teacher whose features are grey levels of its canvases, and which sees no face."""
    memory = TeacherMemory(folder)
    for index in range(pool):
        images = to_tensor([canvas for canvas, _ in batches.compose(index)])
        grey = images.float().mean(1, True)
        features = [
            F.avg_pool2d(grey, stride).expand(-1, TEACHER_CHANNELS, -1, -1).numpy()
            for stride in STRIDES
        ]
        memory.store(index, Judgement(features, [NOBODY] * len(images)))
    return replace(batches, memory=TeacherMemory(folder))


def test_imitation_brings_the_features_closer_to_the_teachers(batches, tmp_path):
    batch = remember(batches, tmp_path, 1)[0]
    run = Run(Phase(steps=40, warmup=1, imitation=4.0, depth=2))
    distances = [float(run.step(batch)[4]) for _ in range(12)]
    assert distances[-1] < 0.9 * distances[0]


def test_the_pool_comes_round_in_a_new_order_and_newly_degraded(batches, tmp_path):
    remembered = remember(batches, tmp_path, 4)
    orders = [[remembered.memory.index(4 * turn + k, seed=1) for k in range(4)] for turn in (0, 1)]
    assert [sorted(order) for order in orders] == [[0, 1, 2, 3]] * 2
    assert orders[0] != orders[1]
    first, second = (remembered[4 * turn + order.index(0)] for turn, order in enumerate(orders))
    assert first.images.shape == second.images.shape
    assert all(torch.equal(a, b) for a, b in zip(first.features, second.features, strict=True))
    assert not torch.equal(first.images, second.images)


def test_the_teacher_says_which_faces_a_remembered_canvas_demands(batches, tmp_path):
    assert any(target.sure.any() for target in batches[0].targets)
    remembered = remember(batches, tmp_path, 1)[0]
    assert not any(target.sure.any() for target in remembered.targets)


def test_imitation_weighs_faces_as_much_as_the_background():
    teacher = torch.randn(1, 3, 8, 8)
    standard = (teacher - teacher.mean((0, 2, 3), keepdim=True)) / teacher.std(
        (0, 2, 3), keepdim=True
    )
    target = Target(torch.tensor([[-1.0, -1.0, 15.0, 15.0]]), torch.zeros(1, 10), torch.ones(1) > 0)
    off = torch.zeros(1, 3, 8, 8)
    off[..., :2, :2] = 2.0  # the four places (0 and 8 pixels) inside the box
    loss = imitation_loss(standard + off, teacher, [target], 8)
    assert float(loss) == pytest.approx(4.0 / 2, rel=1e-4)


def test_another_phase_is_refused(tmp_path):
    run = Run(PHASE)
    run.done = 2
    run.save(tmp_path / "run.pt")
    for other in (
        Phase(steps=4, warmup=2, decay=0.5, seed=2),
        Phase(steps=4, warmup=3, decay=0.5, seed=1),
    ):
        with pytest.raises(FiqaError, match="was made with"):
            Run(other).load(tmp_path / "run.pt")


def test_the_rate_rises_stays_and_falls():
    recipe = Phase(steps=100, rate=1.0, warmup=10, decay=0.2)
    rates = [recipe.rate_at(step) for step in range(100)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert rates[10:80] == [1.0] * 70
    assert rates[80:] == pytest.approx(np.arange(20, 0, -1) / 20)


def test_a_plateau_may_be_prolonged(tmp_path):
    run = Run(Phase(steps=10, warmup=2, decay=0.5))
    run.done = 4
    run.save(tmp_path / "run.pt")
    longer = Run(Phase(steps=20, warmup=2, decay=0.5))
    longer.load(tmp_path / "run.pt")
    assert longer.done == 4


def test_the_second_phase_begins_with_what_the_first_has_learnt(tmp_path, batches):
    first = Run(PHASE)
    train(first, batches, tmp_path / "first.pt")
    second = Run(replace(PHASE, depth=1))
    second.start_from([tmp_path / "first.pt"])
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        wanted = first.averaged(image)
        found = second.averaged(image)
    assert sum(p.numel() for p in second.net.parameters()) > 1.2 * sum(
        p.numel() for p in first.net.parameters()
    )
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
