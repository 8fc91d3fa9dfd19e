import random
import sys
from pathlib import Path

import numpy as np
import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.onnx_network import load_onnx_quality, load_onnx_recogniser
from zoo.toys import onnx_file, onnx_recogniser


@pytest.mark.parametrize("batch", ["batch", 1, 4])
@pytest.mark.parametrize("count", [0, 1, 5, 8])
def test_onnx_scores_any_number_of_crops(batch: int | str, count: int, tmp_path: Path) -> None:
    crops = np.random.default_rng(3).random((count, 3, 112, 112), np.float32)
    network = load_onnx_quality(onnx_file(tmp_path / "q.onnx", batch=batch))
    quality = network(crops)
    assert quality.shape == (count,)
    assert quality.dtype == np.float32
    np.testing.assert_allclose(quality, crops.mean((1, 2, 3)), rtol=1e-5)


def test_onnx_output_by_another_name_if_it_is_the_only_one(tmp_path: Path) -> None:
    network = load_onnx_quality(onnx_file(tmp_path / "q.onnx", output="1078"))
    assert network(np.ones((1, 3, 112, 112), np.float32)) == pytest.approx([1.0])


def test_onnx_that_is_no_quality_network(tmp_path: Path) -> None:
    with pytest.raises(FiqaError, match=r"takes .*640"):
        load_onnx_quality(onnx_file(tmp_path / "detector.onnx", shape=(3, 640, 640)))
    with pytest.raises(FiqaError, match="gives 1078, other"):
        load_onnx_quality(onnx_file(tmp_path / "two.onnx", output="1078", second=True))
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x07" + random.Random(4).randbytes(500))
    with pytest.raises(FiqaError, match="no ONNX network"):
        load_onnx_quality(tmp_path / "bad.onnx")


def test_missing_onnxruntime_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = onnx_file(tmp_path / "q.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(FiqaError, match="pip install onnxruntime"):
        load_onnx_quality(path)


@pytest.mark.parametrize("batch", ["batch", 1, 4])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_onnx_embeds_any_number_of_crops(batch: int | str, count: int, tmp_path: Path) -> None:
    crops = np.random.default_rng(4).random((count, 3, 112, 112), np.float32)
    found = load_onnx_recogniser(onnx_recogniser(tmp_path / "r.onnx", batch=batch))(crops)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.reshape(count, 3), crops.mean((2, 3)), rtol=1e-5)


def test_onnx_that_is_no_recogniser(tmp_path: Path) -> None:
    with pytest.raises(FiqaError, match=r"takes .*640.*: a recogniser takes one"):
        load_onnx_recogniser(onnx_file(tmp_path / "detector.onnx", shape=(3, 640, 640)))
    with pytest.raises(FiqaError, match="gives quality, other: a recogniser gives one embedding"):
        load_onnx_recogniser(onnx_file(tmp_path / "two.onnx", second=True))
