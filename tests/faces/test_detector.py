"""Detection against insightface's own application, on its own group photo."""

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fiqa_cli.errors import FiqaError
from fiqa_cli.faces.detector import Detector
from fiqa_cli.zoo.builtin import weights_folder


@pytest.fixture(scope="module")
def group() -> NDArray[np.uint8]:
    spec = find_spec("insightface")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    path = Path(spec.submodule_search_locations[0], "data/images/t1.jpg")
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(weights_folder() / "scrfd-n")


def test_faces_are_those_insightface_finds(detector: Detector, group: NDArray[np.uint8]) -> None:
    from insightface.app import FaceAnalysis

    package = weights_folder() / "scrfd-n"
    app = FaceAnalysis(
        str(package), allowed_modules=["detection"], providers=["CPUExecutionProvider"]
    )
    app.prepare(ctx_id=-1, det_size=(640, 640))
    reference = app.get(np.ascontiguousarray(group[:, :, ::-1]))
    faces = detector.detect(group)
    assert len(faces) == len(reference) == 6
    # From left to right: two of the scores are nearly the same, and their order is chance.
    faces.sort(key=lambda face: float(face.box[0]))
    reference.sort(key=lambda face: float(face.bbox[0]))
    for face, theirs in zip(faces, reference, strict=True):
        # Ours does not compute the part of the square below the image. The lowest faces feel that a
        # little, and where integers are rounded a little is a hundredth of a face.
        little = 0.01 * float(np.sqrt((face.box[2:] - face.box[:2]).prod()))
        np.testing.assert_allclose(face.box, theirs.bbox, atol=little)
        np.testing.assert_allclose(face.landmarks, theirs.kps, atol=little)
        assert face.score == pytest.approx(theirs.det_score, abs=0.02)


def test_threads_do_not_disturb_each_other(detector: Detector, group: NDArray[np.uint8]) -> None:
    images = [group, group[:, :640], group[:, 640:], group[:400]]
    alone = [detector.detect(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector.detect, images * 3))
    for place, faces in enumerate(together):
        expected = alone[place % len(images)]
        assert [face.score for face in faces] == [face.score for face in expected]


@pytest.mark.parametrize("shape", [(1, 1), (2000, 1), (1, 2000), (17, 16), (3, 500)])
def test_odd_shapes_hold_no_face(detector: Detector, shape: tuple[int, int]) -> None:
    assert detector.detect(np.zeros((*shape, 3), np.uint8)) == []


def test_nothing_of_insightface_reaches_stdout(
    group: NDArray[np.uint8], capfd: pytest.CaptureFixture[str]
) -> None:
    Detector(weights_folder() / "scrfd-n").detect(group)
    assert capfd.readouterr().out == ""


def test_a_folder_without_a_detector_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(FiqaError, match=r"holds no detector.*--detector"):
        Detector(tmp_path)
    (tmp_path / "det_broken.onnx").write_bytes(b"nothing")
    with pytest.raises(FiqaError, match="cannot be read as an ONNX model"):
        Detector(tmp_path)


def test_the_size_must_suit_the_strides() -> None:
    with pytest.raises(FiqaError, match="multiple of 32"):
        Detector(weights_folder() / "scrfd-n", size=100)
