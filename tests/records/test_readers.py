import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.records import csv_stream, json_stream
from fiqa_cli.records.readers import open_reader, read_rows


def cut(data, places):
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


CUTS = st.lists(st.integers(0, 10_000), max_size=12)
CSV = b'path,quality,note\n"a\nb, ""c""",0.5,x\n\nplain,,y\r\n"q",1,"l\r\n"\n'
OBJECTS = [{"path": 'a]}"\\', "n": {"m": [1, {}]}}, {"path": "\udce9 é😀", "quality": None}]
ARRAY = json.dumps(OBJECTS, indent=1).encode() + b"\n"
LINES = b"\n".join(json.dumps(each).encode() for each in OBJECTS)


@given(CUTS)
def test_csv_does_not_depend_on_how_the_bytes_arrive(places):
    batches = list(csv_stream.csv_batches(cut(CSV, places)))
    assert [record for batch in batches for record in batch.records()] == [
        {"path": 'a\nb, "c"', "quality": 0.5, "note": "x"},
        {"path": "plain", "quality": None, "note": "y"},
        {"path": "q", "quality": 1.0, "note": "l\r\n"},
    ]


@given(CUTS)
def test_json_does_not_depend_on_how_the_bytes_arrive(places):
    for batches, data in (
        (json_stream.json_batches, ARRAY),
        (json_stream.jsonl_batches, LINES),
        (json_stream.json_batches, json.dumps(OBJECTS, ensure_ascii=True).encode()),
    ):
        parts = [part for part in cut(data, places) if part]
        assert [each for batch in batches(parts) for each in batch.records()] == OBJECTS


@pytest.mark.parametrize(
    ("content", "format"),
    [
        (b"path,quality\na,0.5\n", "csv"),
        (b"\xef\xbb\xbfquality,extra,path\r\n0.5,7,a\r\n", "csv"),
        (b"path,quality\na,0.5", "csv"),
        (b' \n[{"path": "a", "quality": 0.5}]', "json"),
        (b'\xef\xbb\xbf{"path": "a", "quality": "0.5"}\r\n', "jsonl"),
    ],
)
def test_the_content_tells_the_format_not_the_name(tmp_path, content, format):
    path = tmp_path / "report.parquet"
    path.write_bytes(content)
    with open_reader(path) as reader:
        assert reader.format == format
    (row,) = read_rows(path)
    assert (row.path, row.quality) == ("a", 0.5)


@pytest.mark.parametrize("name", ["report.csv", "report.json", "report.jsonl", "report"])
def test_an_empty_file_has_no_rows(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert list(read_rows(tmp_path / name)) == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"path,quality\na,0.5\nb", r"row 2 has 1 cells.*cut off"),
        (b'path,quality\na,0.5\n"b', "cut off within quotes"),
        (b"path,quality\na,0.5\nb,1,2\n", "row 2 has 3 cells"),
        (b'{"path": "a"}\n{"path": "b', r"row 2 is no JSON object.*cut off"),
        (b'[{"path": "a"},\n{"path": "b', "cut off after row 1"),
        (b'[{"path": "a"}', "cut off after row 1"),
        (b'[{"path": "a"} {"path": "b"}]', "after row 1 comes '{'"),
        (b'[{"path": "a"}, 7]', "after row 1 comes '7'"),
        (b'[{"path": "a"},]', "after row 1 comes ']'"),
        (b'[{"path": "a"}] x', "after row 1 comes 'x'"),
    ],
)
def test_what_is_cut_off_or_malformed_is_named_after_the_rows_before_it(
    tmp_path, content, complaint
):
    path = tmp_path / "report"
    path.write_bytes(content)
    with pytest.raises(FiqaError, match=complaint):
        list(read_rows(path))


def test_rows_before_a_torn_one_are_given(monkeypatch):
    parts = [b"path,quality\na,0.5\n", b"b,0.2\nc"]
    batches = csv_stream.csv_batches(parts)
    assert [len(next(batches)), len(next(batches))] == [1, 1]
    with pytest.raises(FiqaError):
        next(batches)


def test_a_quote_or_brace_that_nobody_closes_does_not_fill_the_memory():
    endless = (b"x" * 50_000 + b"\n" for _ in range(10**9))
    with pytest.raises(FiqaError, match="quote"):
        list(csv_stream.csv_batches(part for parts in ([b'a,b\n"'], endless) for part in parts))
    endless = (b"x" * 50_000 for _ in range(10**9))
    with pytest.raises(FiqaError, match="row 1"):
        list(json_stream.json_batches(part for parts in ([b'[{"a":"'], endless) for part in parts))


def test_a_damaged_parquet_file_is_named(tmp_path):
    path = tmp_path / "report"
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(FiqaError, match="Parquet"):
        list(read_rows(path))


def test_a_quality_that_is_no_number_is_named(tmp_path):
    path = tmp_path / "report"
    path.write_bytes(b"path,quality\na,good\n")
    with pytest.raises(FiqaError, match=r"quality holds 'good'"):
        list(read_rows(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FiqaError, match=r"cannot read .*none"), open_reader(tmp_path / "none"):
        pass


@settings(max_examples=20)
@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_a_replayed_reader_gives_the_same_rows_again(tmp_path_factory, flags):
    path = tmp_path_factory.mktemp("replay") / "report"
    path.write_text("path\n" + "".join(f"{i}\n" for i in range(len(flags))))
    with open_reader(path, replay=True) as reader:
        first = [name for batch in reader for name in batch.paths()]
        assert first == [name for batch in reader for name in batch.paths()]
        assert first == [str(i) for i in range(len(flags))]
