import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.row import COLUMNS, Row, from_record, shortest, to_record


def test_columns_are_those_of_the_design():
    assert ",".join(COLUMNS) == (
        "path,face,status,quality,model,detector,det_score,x1,y1,x2,y2,width,height,inter_eye,error"
    )


@given(st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False))
def test_shortest_digits_survive_float32_and_are_as_few_as_numpys(value):
    digits = shortest(value)
    assert struct.pack("f", digits) == struct.pack("f", value)
    assert digits == float(str(np.float32(value)))


def test_numbers_that_no_float32_holds_stay():
    assert shortest(1e300) == 1e300


def test_pixels_have_two_decimals_and_what_is_not_finite_is_missing():
    record = to_record(Row("a", x1=1.23456, quality=math.nan, details={"nose_x": 7.126}))
    assert record["x1"] == 1.23
    assert record["nose_x"] == 7.13
    assert record["quality"] is None


def test_whole_numbers_may_come_as_floats_of_other_tools():
    assert from_record({"path": "a", "face": "3.0"}).face == 3
    with pytest.raises(FiqaError, match=r"face.*3\.5"):
        from_record({"path": "a", "face": "3.5"})


def test_a_row_needs_a_path():
    with pytest.raises(FiqaError, match="path"):
        from_record({"quality": 1.0})
