import json

import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.wished import point_at_fnmr

CURVE = {
    "discard": [0, 0.01, 0.02, 0.03, 1],
    "error": [0.2, 0.1, 0.05, 0.1, 0],
    "quality": [None, 0.3, 0.4, 0.5, None],
}


def write(path, error="fnmr", **recognisers):
    results = [
        {"recogniser": name, "mated": 900, "curves": dict.fromkeys(measures, CURVE)}
        for name, measures in recognisers.items()
    ]
    results.append({"recogniser": "mean"})
    path.write_text(json.dumps({"definition": {"error": error}, "results": results}))
    return path


def test_the_least_discard_with_a_finite_cut(tmp_path):
    path = write(tmp_path / "e.json", r=["m"])
    point = point_at_fnmr(path, 0.1)
    assert (point.quality, point.discard, point.fnmr) == (0.3, 0.01, 0.1)
    assert (point.recogniser, point.measure, point.mated) == ("r", "m", 900)
    assert point_at_fnmr(path, 0.5).quality == 0.3  # no cut would keep what lacks a quality
    with pytest.raises(FiqaError, match=r"the least is 0\.05, with 2% of the pairs discarded"):
        point_at_fnmr(path, 0.04)


def test_a_choice_of_several(tmp_path):
    path = write(tmp_path / "e.json", r=["m", "n"], s=["m", "n"])
    assert point_at_fnmr(path, 0.1, "n", "s").recogniser == "s"
    with pytest.raises(FiqaError, match="more than one recogniser: choose of r, s"):
        point_at_fnmr(path, 0.1, "n")
    with pytest.raises(FiqaError, match="no model o: choose of m, n with --model"):
        point_at_fnmr(path, 0.1, "o", "r")


def test_an_fmr_is_no_fnmr(tmp_path):
    with pytest.raises(FiqaError, match="tells the FMR"):
        point_at_fnmr(write(tmp_path / "e.json", "fmr", r=["m"]), 0.1)


@pytest.mark.parametrize("text", ["[]", "{}", '{"definition": {"error": "fnmr"}}', "3"])
def test_other_json_is_told(text, tmp_path):
    (tmp_path / "e.json").write_text(text)
    with pytest.raises(FiqaError, match="no evaluation with cuts"):
        point_at_fnmr(tmp_path / "e.json", 0.1)
