import json

import numpy as np
import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.measures import read_measures
from fiqa_cli.records.row import Row
from fiqa_cli.records.writers import open_writer

ROWS = [
    Row("a.jpg", 0, quality=0.5, model="m"),
    Row("a.jpg", 1, quality=0.25, model="m"),
    Row("b.jpg", status="no-face", model="m"),
    Row("crop.png", quality=0.75, model="m"),
]


def write(path, rows, format="csv"):
    with open_writer(path, format) as writer:
        writer.write(rows)
    return path


@pytest.mark.parametrize("format", ["csv", "json", "jsonl", "parquet"])
def test_reports_in_any_format(tmp_path, format):
    (measure,) = read_measures([write(tmp_path / "scores", ROWS, format)])
    assert measure.name == "m"
    assert measure.paths == ["a.jpg", "a.jpg", "b.jpg", "crop.png"]
    assert measure.faces.tolist() == [0, 1, 0, 0]
    np.testing.assert_array_equal(measure.quality, [0.5, 0.25, np.nan, 0.75])


def test_models_of_one_report_and_parts_of_one_model(tmp_path):
    first = write(tmp_path / "1.csv", [*ROWS, Row("a.jpg", 0, quality=9, model="n")])
    second = write(tmp_path / "2.csv", [Row("c.jpg", 0, quality=0.1, model="m")])
    m, n = read_measures([first, second, first])
    assert (m.name, len(m.paths), m.paths[-1]) == ("m", 5, "c.jpg")
    assert (n.name, n.quality.tolist()) == ("n", [9])


def test_one_model_with_other_options_is_two_measures(tmp_path):
    first = write(tmp_path / "t5.csv", [Row("a.jpg", 0, quality=0.5, model="diffiqa-n")])
    second = write(tmp_path / "t9.csv", [Row("a.jpg", 0, quality=0.6, model="diffiqa-n")])
    names = [measure.name for measure in read_measures([first, second])]
    assert names == ["diffiqa-n (t5.csv)", "diffiqa-n (t9.csv)"]


def test_a_report_of_another_tool_is_named_by_its_file(tmp_path):
    (tmp_path / "mine.csv").write_text("path,quality\na.jpg,3\n")
    assert read_measures([tmp_path / "mine.csv"])[0].name == "mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("path,quality\n", "no rows"),
        ("path,score\na,1\n", "no column quality"),
        ("name,score\na,1\n", "no column path and no column quality"),
        ("path,quality,model\na,,m\n", "no quality of m for any face"),
        ("path,quality,model\na,1,m\na,2,m\n", "two qualities of m for a, face 0"),
        ("path,quality\na,good\n", "not a number"),
        (json.dumps({"path": "a"}) + "\n", "no column quality"),
    ],
)
def test_refused(tmp_path, text, message):
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(FiqaError, match=message) as refusal:
        read_measures([tmp_path / "scores.csv"])
    assert "\n" not in str(refusal.value)
