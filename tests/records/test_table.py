import io

import pytest
from rich.cells import cell_len

from fiqa_cli.records.row import Row
from fiqa_cli.records.table import TableWriter, bar, fit


def table(rows, monkeypatch, width="100"):
    monkeypatch.setenv("COLUMNS", width)
    stream = io.StringIO()
    writer = TableWriter(stream)
    writer.write(rows)
    writer.close()
    return stream.getvalue().splitlines()


def test_each_row_is_one_line_within_the_terminal(monkeypatch):
    wild = "a/" * 80 + "\x1b[31m\n日本語\udce9.jpg"
    lines = table([Row(wild, 0, quality=0.75, error="x" * 200), Row("b")], monkeypatch)
    assert len(lines) == 3
    assert all(cell_len(line) <= 100 for line in lines)
    assert lines[1].startswith("…")
    assert "\\x1b[31m\\n日本語\\udce9.jpg" in lines[1]
    assert "0.7500 ███████▌" in lines[1]


def test_without_rows_the_head_still_shows(monkeypatch):
    (line,) = table([], monkeypatch)
    assert line.split() == ["path", "face", "status", "quality", "error"]


@pytest.mark.parametrize(
    ("quality", "text"),
    [(None, ""), (0.0, ""), (1.0, "█" * 10), (7.0, "█" * 10), (-1.0, ""), (0.0125, "▏")],
)
def test_bars(quality, text):
    assert bar(quality) == text.ljust(10)


@pytest.mark.parametrize("keep_end", [False, True])
@pytest.mark.parametrize("text", ["", "abc", "日本語日本語", "x" * 50])
def test_fitted_text_has_exactly_the_width(text, keep_end):
    assert cell_len(fit(text, 8, keep_end)) == 8
