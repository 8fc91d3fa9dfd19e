"""Counting rows."""

import statistics

from fiqa_cli.pipeline.tally import SAMPLE, Tally
from fiqa_cli.records.row import Row


def test_images_are_counted_once_however_many_faces() -> None:
    tally = Tally()
    for row in (
        Row("a", face=0, quality=0.1),
        Row("a", face=1, quality=0.2),
        Row("b", status="no-face"),
        Row("c", status="unreadable"),
        Row("d", face=0, status="failed"),
        Row("e", status="too-small"),
    ):
        tally.count(row)
    assert tally.images == 5
    assert tally.statuses == {"ok": 2, "no-face": 1, "unreadable": 1, "failed": 1, "too-small": 1}
    assert tally.qualities == [0.1, 0.2]
    assert tally.failed == 2


def test_images_without_any_ok_row_are_barren() -> None:
    tally = Tally()
    for row in (
        Row("a", face=0, status="too-small"),
        Row("a", face=1),
        Row("a", face=2),
        Row("b"),
        Row("c", status="no-face"),
        Row("d", face=0, status="too-small"),
        Row("d", face=1, status="failed"),
        Row("e", face=0),
        Row("e", face=1, status="failed"),
    ):
        tally.count(row)
    assert (tally.images, tally.barren) == (5, 2)


def test_memory_is_constant_and_the_sample_fair() -> None:
    tally = Tally()
    count = 5 * SAMPLE
    for number in range(count):
        tally.count(Row("a", quality=number / count))
    assert len(tally.qualities) == SAMPLE
    assert abs(statistics.fmean(tally.qualities) - 0.5) < 0.01
