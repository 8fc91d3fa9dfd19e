import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_cli.records.cells import format_line, guard, parse_cell, split_line, unguard

WILD = st.text("'=+-@\t\rab") | st.text()


@given(WILD)
def test_guard_is_reversible_and_leaves_no_formula(text):
    assert unguard(guard(text)) == text
    assert not re.match(r"[=+\-@\t\r]", guard(text))


@given(WILD.filter(lambda text: not re.match(r"'*[=+\-@\t\r]", text)))
def test_harmless_text_is_not_touched(text):
    assert guard(text) == text == unguard(text)


def test_numbers_are_not_guarded_and_text_is():
    assert format_line([-0.02, "-0.02", None, float("nan"), True]) == "-0.02,'-0.02,,,true\n"


@given(
    st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=2)
)
def test_lines_are_what_the_csv_module_reads(cells):
    line = format_line(cells)
    assert next(csv.reader(io.StringIO(line, newline=""))) == [guard(cell) for cell in cells]
    assert split_line(line[:-1].encode()) == [guard(cell) for cell in cells]


@pytest.mark.parametrize(
    ("cell", "value"),
    [("007", "007"), ("7", 7), ("0.5", 0.5), ("0.50", "0.50"), ("-1", -1), ("'-1", "-1"),
     ("", None), ("-inf", "-inf"), ("nan", "nan"), ("1e400", "1e400")],
)  # fmt: skip
def test_unknown_columns_hold_numbers_only_where_no_digit_changes(cell, value):
    assert parse_cell("mine", cell) == value
    assert type(parse_cell("mine", cell)) is type(value)
