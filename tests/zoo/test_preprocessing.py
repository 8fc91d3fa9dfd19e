import sys
from pathlib import Path

import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.preprocessing import PREPROCESSING, Pixels, pixels_of_onnx
from zoo.toys import onnx_recogniser


@pytest.mark.parametrize(
    ("first", "pixels"),
    [
        ((), "half"),
        ((("Sub", 127.5), ("Mul", 0.0078125)), "raw"),
        ((("Sub", 127.5), ("Div", 128.0)), "raw"),
        ((("Mul", 2.0),), "half"),
        ((("Sub", 0.5),), "half"),
    ],
)
def test_a_graph_that_subtracts_and_scales_takes_raw_pixels(
    first: tuple[tuple[str, float], ...], pixels: str, tmp_path: Path
) -> None:
    assert pixels_of_onnx(onnx_recogniser(tmp_path / "r.onnx", first=first)) == pixels


def test_operations_behind_the_first_layer_do_not_count(tmp_path: Path) -> None:
    first = (("Pow", 1.0), ("Sub", 127.5), ("Mul", 0.0078125))
    assert pixels_of_onnx(onnx_recogniser(tmp_path / "r.onnx", first=first)) == "half"


def test_what_cannot_be_told_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x07 nothing of the kind")
    with pytest.raises(FiqaError, match=r"bad\.onnx is no ONNX network"):
        pixels_of_onnx(tmp_path / "bad.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(FiqaError, match=r"pip install onnx; or say it: --preprocessing half\|raw"):
        pixels_of_onnx(tmp_path / "bad.onnx")


def test_every_kind_maps_black_and_white_as_it_says() -> None:
    ends = {
        kind: [((x / 255 - p.mean[0]) / p.std[0]) for x in (0, 255)]
        for kind, p in PREPROCESSING.items()
    }
    assert ends[Pixels.HALF] == ends[Pixels.HALF_BGR] == [-1, 1]
    assert ends[Pixels.RAW] == pytest.approx([0, 255])
    assert ends[Pixels.IMAGENET] == pytest.approx([-123.675 / 58.395, (255 - 123.675) / 58.395])
    assert {kind for kind, p in PREPROCESSING.items() if p.colour == "BGR"} == {Pixels.HALF_BGR}
