"""The pipeline: order, batches, promptness, and what goes wrong on the way."""

import itertools
import threading
import time
from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa_cli.pipeline import score as scoring
from fiqa_cli.pipeline.flow import flow
from fiqa_cli.pipeline.prospect import Prospect
from fiqa_cli.records.row import Row
from fiqa_cli.sources.listing import Entry
from pipeline.fakes import Brightness


def prepare(entry: Entry) -> list[Prospect]:
    """An entry's path says how many faces it has, and how long that takes to find out."""
    count, delay = map(int, entry.path.split("-")[1:])
    time.sleep(delay / 1000)
    if count == 0:
        return [Prospect(Row(entry.path, status="no-face"))]
    return [
        Prospect(Row(entry.path, face=face), np.full((112, 112, 3), 10 * face, np.uint8))
        for face in range(count)
    ]


def score(
    entries: Iterable[Entry],
    method: Brightness,
    workers: int,
    *,
    details: bool = False,
    unordered: bool = False,
) -> Iterator[Row]:
    finish = partial(scoring.score, method=method, details=details)
    return flow(entries, prepare, finish, method.batch_size, workers, unordered=unordered)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=30),
    st.integers(1, 9),
    st.integers(1, 4),
)
def test_rows_come_in_the_order_of_the_input(
    images: list[tuple[int, int]], batch_size: int, workers: int
) -> None:
    entries = [Entry(f"{number}-{faces}-{ms}") for number, (faces, ms) in enumerate(images)]
    method = Brightness(batch_size)
    rows = list(score(entries, method, workers, details=True))
    expected = [
        (entry.path, face)
        for entry, (faces, _) in zip(entries, images, strict=True)
        for face in (range(faces) if faces else [None])
    ]
    assert [(row.path, row.face) for row in rows] == expected
    for row in rows:
        assert row.model == "brightness"
        if row.face is not None:
            assert row.quality == pytest.approx(10 * row.face / 255, abs=1e-6)
            assert row.details["red"] == pytest.approx(10 * row.face / 255, abs=1e-6)
    assert sum(method.batches) == sum(faces for faces, _ in images)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=20),
    st.integers(1, 9),
    st.integers(1, 4),
)
def test_unordered_rows_are_the_same_and_those_of_an_image_stay_together(
    images: list[tuple[int, int]], batch_size: int, workers: int
) -> None:
    entries = [Entry(f"{number}-{faces}-{ms}") for number, (faces, ms) in enumerate(images)]
    rows = list(score(entries, Brightness(batch_size), workers, unordered=True))
    groups = [
        (path, [row.face for row in group])
        for path, group in itertools.groupby(rows, key=lambda row: row.path)
    ]
    assert sorted(groups) == sorted(
        (entry.path, list(range(faces)) if faces else [None])
        for entry, (faces, _) in zip(entries, images, strict=True)
    )


def test_unordered_rows_do_not_wait_for_an_image_that_is_long_in_coming() -> None:
    entries = [Entry("slow-1-500"), *(Entry(f"{n}-1-0") for n in range(40))]
    rows = score(entries, Brightness(batch_size=4), workers=2, unordered=True)
    paths = [row.path for row in rows]
    assert paths.index("slow-1-500") >= 20
    assert len(paths) == 41


def test_faces_of_many_images_share_batches() -> None:
    method = Brightness(batch_size=10)
    list(score([Entry(f"{n}-1-0") for n in range(40)], method, workers=2))
    assert len(method.batches) < 20


def test_rows_do_not_wait_for_the_image_behind_them() -> None:
    """However many images of a run hang, what comes before them is written meanwhile."""
    rows = score([Entry("a-1-0"), Entry("slow-1-5000")], Brightness(batch_size=4), workers=2)
    begun = time.monotonic()
    assert next(rows).path == "a-1-0"
    assert time.monotonic() - begun < 3
    rows.close()  # type: ignore[attr-defined]


def test_a_slow_producer_does_not_hold_back_what_is_done() -> None:
    release = threading.Event()

    def entries() -> Iterator[Entry]:
        yield Entry("a-1-0")
        assert release.wait(10)
        yield Entry("b-1-0")

    rows = score(entries(), Brightness(batch_size=100), workers=1)
    assert next(rows).path == "a-1-0"  # would wait for ever if batches had to be full
    release.set()
    assert next(rows).path == "b-1-0"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_is_being_scored_when_a_run_breaks_off_is_kept(error: type[BaseException]) -> None:
    method = Brightness(batch_size=2)

    def finish(prospects: list[Prospect]) -> Iterator[Row]:
        time.sleep(0.2)
        yield from scoring.score(prospects, method)

    def entries() -> Iterator[Entry]:
        yield from (Entry(f"{number}-1-0") for number in range(3))
        time.sleep(0.1)
        raise error

    rows = flow(entries(), prepare, finish, method.batch_size, workers=1)
    assert [next(rows).path, next(rows).path] == ["0-1-0", "1-1-0"]
    with pytest.raises(error):
        next(rows)


def test_the_next_batch_gathers_while_one_is_scored() -> None:
    method = Brightness(batch_size=2)
    gathered = threading.Event()

    def finish(prospects: list[Prospect]) -> Iterator[Row]:
        assert gathered.wait(10)
        yield from scoring.score(prospects, method)

    def inspect(prospect: Prospect) -> None:
        if prospect.row.path == "3-1-0":
            gathered.set()

    entries = [Entry(f"{number}-1-0") for number in range(6)]
    assert len(list(flow(entries, prepare, finish, 2, 1, inspect))) == 6


@pytest.mark.parametrize("unordered", [False, True])
def test_reading_never_runs_far_ahead(unordered: bool) -> None:
    taken = []

    def entries() -> Iterator[Entry]:
        for number in range(1000):
            taken.append(number)
            yield Entry(f"{number}-1-0")

    rows = score(entries(), Brightness(batch_size=4), workers=2, unordered=unordered)
    next(rows)
    time.sleep(0.3)
    assert len(taken) < 60
    rows.close()
    time.sleep(0.3)
    assert len(taken) < 60


@pytest.mark.parametrize("unordered", [False, True])
def test_an_error_of_the_listing_reaches_the_caller_after_the_rows_before_it(
    unordered: bool,
) -> None:
    def entries() -> Iterator[Entry]:
        yield Entry("a-1-0")
        raise OSError("list is gone")

    rows = score(entries(), Brightness(), workers=1, unordered=unordered)
    with pytest.raises(OSError, match="list is gone"):
        list(rows)
