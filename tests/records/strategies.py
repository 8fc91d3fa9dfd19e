"""Rows as wild as file systems and models can make them."""

import os
import struct

from hypothesis import strategies as st

from fiqa_cli.records.row import STATUSES, Row

ODD = [
    "-rf.jpg",
    "=1+1",
    "'=1",
    "''@x",
    "\tq",
    "\rq",
    'a"b',
    "a,b",
    "a\nb",
    "a\r\nb",
    "a\rb",
    "é😀",
]
TEXT = st.one_of(
    st.sampled_from(ODD),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    st.text("'=+-@\t\r\n,\" ab", min_size=1, max_size=6),
)
NAMES = st.one_of(
    TEXT,
    st.binary(min_size=1, max_size=12).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"/"))),
)
FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
PIXELS = st.none() | st.integers(-100_000, 1_000_000).map(lambda n: n / 100)

ROWS = st.builds(
    Row,
    path=NAMES,
    face=st.none() | st.integers(0, 500),
    status=st.sampled_from(STATUSES),
    quality=st.none() | FLOAT32,
    model=TEXT,
    detector=TEXT,
    det_score=st.none() | FLOAT32,
    x1=PIXELS,
    y1=PIXELS,
    x2=PIXELS,
    y2=PIXELS,
    width=st.none() | st.integers(1, 100_000),
    height=st.none() | st.integers(1, 100_000),
    inter_eye=PIXELS,
    error=st.just("") | TEXT,
    details=st.fixed_dictionaries({"eye_left_x": PIXELS.map(lambda n: n or 0.5), "σ": FLOAT32}),
)


def as_float32(row: Row) -> Row:
    """The row with the numbers of models as float32, so that rows compare exactly."""
    for name in ("quality", "det_score"):
        setattr(row, name, _single(getattr(row, name)))
    row.details = {name: _single(value) for name, value in row.details.items()}
    return row


def _single(value: float | None) -> float | None:
    return None if value is None else struct.unpack("f", struct.pack("f", value))[0]
