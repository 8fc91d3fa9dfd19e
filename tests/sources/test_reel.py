import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_cli.sources import reel as module
from fiqa_cli.sources.reasons import UnreadableImage
from fiqa_cli.sources.reel import Reel


class Tape:
    """Numbers 0 to `length` as bytes of one length; counts what is played."""

    def __init__(self, length: int = 100, step: int = 1, breaks: int = 10**9) -> None:
        self.length, self.step, self.breaks = length, step, breaks
        self.starts: list[int] = []
        self.played = 0

    def __call__(self, start: int) -> Iterator[tuple[int, bytes]]:
        self.starts.append(start)
        for number in range(start, self.length, self.step):
            if number >= self.breaks:
                raise UnreadableImage("broken")
            self.played += 1
            yield number, number.to_bytes(10)


@given(st.lists(st.integers(0, 99)), st.integers(1, 50), st.integers(1, 5), st.integers(0, 30))
def test_any_order_gives_the_same(
    numbers: list[int], chapter: int, kept: int, patience: int
) -> None:
    reel = Reel(Tape(), lambda number: number // chapter * chapter, patience)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WINDOW", 10 * kept)
        for number in numbers:
            assert reel.take(number) == number.to_bytes(10)


def test_almost_in_order_is_played_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW", 10 * 8)
    tape = Tape()
    reel = Reel(tape, before=lambda number: number // 10 * 10, patience=4)
    for number in range(0, 100, 4):
        for overtaken in (3, 0, 2, 1):
            assert reel.take(number + overtaken) == (number + overtaken).to_bytes(10)
    assert tape.starts == [0]
    assert tape.played == 100


def test_far_ahead_is_jumped_to() -> None:
    tape = Tape()
    reel = Reel(tape, before=lambda number: number // 10 * 10)
    reel.take(3)
    reel.take(95)
    assert tape.starts == [0, 90]
    assert tape.played == 10


def test_what_is_not_there() -> None:
    tape = Tape(length=9, step=2)
    reel = Reel(tape)
    for number in (3, 100, 9, 100):
        with pytest.raises(KeyError):
            reel.take(number)
    assert reel.take(8) == (8).to_bytes(10)
    assert len(tape.starts) < 3


def test_what_is_broken_is_not_played_again_and_again() -> None:
    tape = Tape(breaks=50)
    reel = Reel(tape)
    for number in range(48, 100):
        if number < 50:
            reel.take(number)
            continue
        with pytest.raises(UnreadableImage, match="broken"):
            reel.take(number)
    assert tape.starts == [0]
    assert reel.take(10) == (10).to_bytes(10)


def test_the_chapter_after_a_broken_one_is_played() -> None:
    class Chapters(Tape):
        def __call__(self, start: int) -> Iterator[tuple[int, bytes]]:
            self.breaks = 5 if start == 0 else 100
            return super().__call__(start)

    reel = Reel(Chapters(), lambda number: number // 10 * 10, patience=30)
    with pytest.raises(UnreadableImage):
        reel.take(7)
    assert reel.take(10) == (10).to_bytes(10)


def test_many_threads() -> None:
    tape = Tape(length=2000)
    reel = Reel(tape)
    wrong: list[int] = []

    def read(first: int) -> None:
        for number in range(first, 2000, 4):
            if reel.take(number) != number.to_bytes(10):
                wrong.append(number)

    threads = [threading.Thread(target=read, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert tape.starts == [0]
