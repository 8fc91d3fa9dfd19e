import copy
import json
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa_cli.records.formats import FORMATS
from fiqa_cli.records.readers import open_reader, read_rows
from fiqa_cli.records.row import COLUMNS, Row
from fiqa_cli.records.writers import open_writer
from records.strategies import ROWS, as_float32


def write(path, format, rows, columns=None):
    with open_writer(path, format, columns) as writer:
        writer.write(rows)


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROWS, max_size=5))
def test_rows_survive_every_format(format, rows):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report")
        write(path, format, rows)
        expected = [as_float32(copy.deepcopy(row)) for row in rows]
        if format == "parquet":  # its text is UTF-8; only paths keep other bytes
            assert pq.read_table(path).num_rows == len(rows)
        assert [as_float32(row) for row in read_rows(path)] == expected


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("other", FORMATS)
@settings(max_examples=8, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=4))
def test_rows_survive_conversion(format, other, rows):
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "a"), Path(folder, "b")
        write(first, format, rows)
        with open_reader(first) as reader, open_writer(second, other) as writer:
            for batch in reader:
                writer.write_batch(batch)
        assert list(read_rows(second)) == list(read_rows(first))
        if format == other != "parquet":
            assert second.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("format", FORMATS)
def test_no_rows_are_a_valid_file_with_all_columns(tmp_path, format):
    path = tmp_path / "report"
    write(path, format, [], [*COLUMNS, "sigma"])
    assert list(read_rows(path)) == []
    if format == "csv":
        assert path.read_text() == ",".join([*COLUMNS, "sigma"]) + "\n"


def test_json_is_one_valid_array_and_null_where_numbers_miss(tmp_path):
    path = tmp_path / "report.json"
    write(path, "json", [Row("a", quality=0.1), Row(b"\xff".decode("utf-8", "surrogateescape"))])
    first, second = json.loads(path.read_text("utf-8"))
    assert first["quality"] == 0.1
    assert second["quality"] is None
    assert second["path"] == "\udcff"


def test_parquet_shows_odd_bytes_and_keeps_them(tmp_path):
    path = tmp_path / "report.parquet"
    write(path, "parquet", [Row("é.jpg"), Row("\udce9.jpg")])
    table = pq.read_table(path)
    assert table["path"].to_pylist() == ["é.jpg", "\\udce9.jpg"]
    assert table["path_bytes"].to_pylist() == [None, b"\xe9.jpg"]
    assert [row.path for row in read_rows(path)] == ["é.jpg", "\udce9.jpg"]


@pytest.mark.parametrize("format", FORMATS)
def test_an_interruption_keeps_what_was_written(tmp_path, format):
    path = tmp_path / "report"
    with pytest.raises(KeyboardInterrupt), open_writer(path, format) as writer:
        writer.write([Row("a"), Row("b")])
        raise KeyboardInterrupt
    assert [row.path for row in read_rows(path)] == ["a", "b"]
    assert list(tmp_path.iterdir()) == [path]
