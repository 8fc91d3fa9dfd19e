"""The teacher: all that it answers, and what its parts put out."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from fiqa_cli.networks.scrfd import Layout, Scrfd
from fiqa_cli.training.detector.export import export_onnx
from fiqa_cli.training.detector.teacher import Teacher
from fiqa_cli.zoo.builtin import weights_folder
from training.random_scrfd import (
    HEAD,
    PYRAMID,
    STAGES,
    RandomScrfd,
    pictures,
    write_onnx,
    write_scrfd,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RandomScrfd]:
    path = tmp_path_factory.mktemp("teacher") / "scrfd.onnx"
    return path, write_scrfd(path)


@pytest.mark.parametrize("size", [(64, 64), (96, 32)])
def test_answers_and_parts_are_the_networks_own_at_any_size(
    size: tuple[int, int], made: tuple[Path, RandomScrfd]
) -> None:
    path, net = made
    images = pictures(2, *size)
    answers, parts = Teacher(path)(images)
    with torch.no_grad():
        outputs, wanted = net(images), net.parts(images)
    scores, distances, landmarks = (torch.cat(outputs[k : k + 3], 1) for k in (0, 3, 6))
    torch.testing.assert_close(answers.scores, scores[..., 0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(answers.distances, distances, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(answers.landmarks, landmarks, atol=1e-4, rtol=1e-4)
    assert len(parts) == len(wanted)
    for one, other in zip(parts, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_a_student_of_its_layout_has_parts_of_the_same_shapes(
    made: tuple[Path, RandomScrfd],
) -> None:
    teacher = Teacher(made[0])
    assert teacher.layout == Layout(STAGES, PYRAMID, HEAD)
    images = pictures(4)
    _, wanted = teacher(images)
    student = Scrfd(teacher.layout)
    shapes = [part.shape for part in wanted]
    assert [part.shape for part in student.parts(images)] == shapes
    # For itself, a part sees as many pictures as its places need.
    alone = [part.shape for part in student.parts(images, wanted)]
    assert [shape[1:] for shape in alone] == [shape[1:] for shape in shapes]
    assert [shape[0] for shape in alone] == [1, 1, 2, 2, *[4] * (len(shapes) - 4)]


def test_a_detector_of_other_parts_shows_its_answers_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    own = Scrfd().eval()
    export_onnx(own, tmp_path / "own.onnx")
    images = pictures(2, 96, 64)
    for path in (tmp_path / "own.onnx", next(weights_folder().glob("scrfd-n/*.onnx"))):
        teacher = Teacher(path)
        assert teacher.layout is None
        answers, parts = teacher(images)
        assert parts == []
        assert answers.scores.shape == (2, 2 * (12 * 8 + 6 * 4 + 3 * 2))
        assert len(onnx.load(str(path)).graph.output) == 9
    answers, _ = Teacher(tmp_path / "own.onnx")(images)
    with torch.no_grad():
        wanted = own(images)
    np.testing.assert_allclose(answers.scores, wanted.logits.sigmoid(), atol=1e-4)
    np.testing.assert_allclose(answers.distances, wanted.distances, atol=1e-3)
    np.testing.assert_allclose(answers.landmarks, wanted.landmarks, atol=1e-3)


def test_blocks_of_a_layout_that_the_student_cannot_have_are_not_learnt(tmp_path: Path) -> None:
    class Wider(RandomScrfd):
        """Its first stage has other channels than its stem."""

        def __init__(self) -> None:
            super().__init__()
            self.stem[2] = nn.Conv2d(4, 5, 3, padding=1)
            block = self.layers[0][0]
            block.conv1 = nn.Conv2d(5, 4, 3, padding=1)
            block.down = nn.Sequential(nn.Identity(), nn.Conv2d(5, 4, 1))
            block.halves = True

    write_onnx(Wider(), tmp_path / "wider.onnx")
    teacher = Teacher(tmp_path / "wider.onnx")
    assert teacher.layout is None
    assert teacher(pictures(1))[1] == []


def test_rows_are_those_of_their_picture_however_a_detector_lays_them_out(
    made: tuple[Path, RandomScrfd], tmp_path: Path
) -> None:
    """insightface's own packages run over places, then pictures, then anchors."""
    _, net = made

    class Flat(RandomScrfd):
        def forward(self, x: Tensor) -> list[Tensor]:
            flat = []
            for output in super().forward(x):
                rows = output.reshape(x.shape[0], -1, 2, output.shape[2])
                flat.append(rows.transpose(0, 1).reshape(-1, output.shape[2]))
            return flat

    flat = Flat()
    flat.load_state_dict(net.state_dict())
    write_onnx(flat, tmp_path / "flat.onnx")
    images = pictures(3)
    (wanted, wanted_parts), (found, parts) = (
        Teacher(made[0])(images),
        Teacher(tmp_path / "flat.onnx")(images),
    )
    for one, other in zip((*wanted, *wanted_parts), (*found, *parts), strict=True):
        torch.testing.assert_close(other, one, atol=1e-5, rtol=1e-4)
