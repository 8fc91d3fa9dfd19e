import math

import numpy as np
import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.cuts import kept_at
from fiqa_cli.records.readers import open_reader
from fiqa_cli.records.row import Row
from fiqa_cli.records.scores import read_scores
from fiqa_cli.records.writers import open_writer
from sources.containers import PHOTOS, write_rec

ROWS = [
    Row("a/1.jpg", 0, quality=0.9, model="m"),
    Row("a/1.jpg", 1, quality=0.2, model="m"),
    Row("a/2.jpg", status="no-face", model="m"),
    Row("b/1.jpg", 0, quality=0.1, model="m"),
    Row("b/2.jpg", status="odd"),
]


def read(rows, path, format="csv", model=None):
    with open_writer(path, format) as writer:
        writer.write(rows)
    with open_reader(path) as reader:
        return read_scores(reader, model)


@pytest.mark.parametrize("format", ["csv", "jsonl", "json", "parquet"])
def test_rows_as_numbers(format, tmp_path):
    scores = read(ROWS, tmp_path / "report", format)
    assert scores.model == "m"
    assert scores.quality[scores.scored].tolist() == pytest.approx([0.9, 0.2, 0.1], abs=1e-7)
    assert scores.face.tolist() == [0, 1, 0, 0, 0]
    assert scores.image[0] == scores.image[1] != scores.image[3]
    assert [scores.folders[place] for place in scores.folder] == ["a", "a", "a", "b", "b"]
    assert scores.statuses == {"ok": 3, "no-face": 1, "odd": 1}


def test_a_training_set_counts_as_its_identities_or_as_one_folder_where_it_is_gone(tmp_path):
    file = write_rec(tmp_path / "train.rec", PHOTOS)
    rows = [Row(f"{file}::{number}", 0, quality=0.5) for number in (1, 2, 3)]
    assert read(rows, tmp_path / "report").folders == [f"{file}/1", f"{file}/0"]
    file.unlink()
    assert read(rows, tmp_path / "report").folders == [str(file)]


def test_what_stays_at_a_cut(tmp_path):
    kept = kept_at(read(ROWS, tmp_path / "report"), 0.2)
    assert (kept.faces, kept.all_faces) == (2, 3)
    assert (kept.images, kept.all_images) == (1, 2)
    assert (kept.folders, kept.all_folders) == (1, 2)


def test_models_do_not_mix(tmp_path):
    rows = [*ROWS, Row("c/1.jpg", 0, quality=70, model="n")]
    with pytest.raises(FiqaError, match="m, n, which do not compare"):
        read(rows, tmp_path / "report")
    scores = read(rows, tmp_path / "report", model="n")
    assert scores.quality[scores.scored].tolist() == [70]
    assert scores.row.tolist() == [4, 5]  # rows that name no model belong to all
    with pytest.raises(FiqaError, match="no quality of o; it has m, n"):
        read(rows, tmp_path / "report", model="o")


def test_no_quality_is_no_report(tmp_path):
    with pytest.raises(FiqaError, match="has no quality"):
        read(ROWS[2:3], tmp_path / "report")
    path = tmp_path / "infinite.csv"
    path.write_text("path,quality\na,inf\nb,0.5\n")
    with pytest.raises(FiqaError, match="infinite"), open_reader(path) as reader:
        read_scores(reader)


def test_many_batches_are_one(tmp_path):
    rows = [Row(f"f{i % 7}/{i}.jpg", 0, quality=i / 64) for i in range(20_000)]
    scores = read(rows, tmp_path / "report")
    assert np.array_equal(scores.row, np.arange(20_000))
    assert np.array_equal(scores.folder, np.arange(20_000) % 7)
    assert math.isclose(scores.quality.sum(), sum(row.quality for row in rows))
