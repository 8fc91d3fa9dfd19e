import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.journal import cut_journal, done_rows, open_journalled
from fiqa_cli.records.readers import read_rows
from fiqa_cli.records.row import COLUMNS, Row
from records.strategies import ROWS

ALL = [*COLUMNS, "eye_left_x", "σ"]


def essence(row):
    return (row.path, row.face, row.status, row.error)


@pytest.mark.parametrize("format", ["csv", "jsonl"])
@settings(max_examples=60, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=5), place=st.data())
def test_every_whole_row_of_a_torn_file_and_no_other(format, rows, place):
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "rows")
        ends = []
        with open_journalled(output, format, ALL) as writer:
            for row in rows:
                writer.write([row])
                ends.append(output.stat().st_size)  # a row is safe as soon as it is written
        whole = output.read_bytes()
        size = place.draw(st.integers(0, len(whole)))
        output.write_bytes(whole[:size])
        done = list(done_rows(output, format, ALL))
        assert [row.end for row in done] == [end for end in ends if end <= size]
        assert [essence(found.row) for found in done] == list(map(essence, rows[: len(done)]))
        kept = done[-1].end if done else 0
        with (
            cut_journal(output, format, kept),
            open_journalled(output, format, ALL, kept) as writer,
        ):
            writer.write(rows[len(done) :])
        assert output.read_bytes() == whole


def test_what_a_power_cut_may_leave_behind_the_rows_is_no_row(tmp_path):
    output = tmp_path / "rows.csv"
    with open_journalled(output, "csv", COLUMNS) as writer:
        writer.write([Row("a"), Row("b")])
    with output.open("ab") as stream:
        stream.write(b"c,0,ok" + bytes(1000))
    assert [done.row.path for done in done_rows(output, "csv", COLUMNS)] == ["a", "b"]


@pytest.mark.parametrize(
    ("format", "content", "told"),
    [
        ("csv", b"a,b\n1,2\n", "row 0 .* other columns"),
        ("csv", ",".join(COLUMNS).encode() + b"\na,b\n", "2 cells instead of 15"),
        ("csv", ",".join(COLUMNS).encode() + b"\n\n", "1 cells instead of 15"),
        ("csv", b'"' + b"x" * (1 << 21), "too long for a row"),
        ("jsonl", b'{"path": "a"}\n7\n', "after row 1 .* no JSON object"),
        ("jsonl", b'{"path": "a"}\n{"path"\n', "after row 1 "),
        ("jsonl", b"{}\n", "no path"),
        ("jsonl", b'{"path": "a", "face": "x"}\n', "not a number"),
    ],
)
def test_what_is_no_journal_is_told_in_one_line(tmp_path, format, content, told):
    path = tmp_path / "rows"
    path.write_bytes(content)
    with pytest.raises(FiqaError, match=told) as error:
        list(done_rows(path, format, COLUMNS))
    assert "\n" not in str(error.value)


def test_parquet_has_a_journal_until_the_run_has_ended_well(tmp_path):
    output = tmp_path / "rows.parquet"
    journal = tmp_path / ".rows.parquet.rows"
    with (
        pytest.raises(KeyboardInterrupt),
        cut_journal(output, "parquet"),
        open_journalled(output, "parquet", COLUMNS) as writer,
    ):
        writer.write([Row("a"), Row("\udcff")])
        raise KeyboardInterrupt
    assert [row.path for row in read_rows(output)] == ["a", "\udcff"]
    (first, second) = done_rows(journal, "parquet", COLUMNS)
    assert second.row.path == "\udcff"
    with (
        cut_journal(output, "parquet", first.end),
        open_journalled(output, "parquet", COLUMNS, first.end) as writer,
    ):
        writer.write([Row("c")])
    assert [row.path for row in read_rows(output)] == ["a", "c"]
    assert list(tmp_path.iterdir()) == [output]
