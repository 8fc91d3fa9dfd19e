"""A reel: what can only be read forwards, by number, for threads that ask almost in order."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator

from fiqa_cli.sources.reasons import UnreadableImage

WINDOW = 1 << 26
"""Bytes of the latest items that are remembered; the very latest in any case."""

Items = Iterator[tuple[int, bytes]]


class Reel:
    """The items that `play(start)` gives: pairs of a rising number and an item, from `start` on.

    Workers ask for items one after the other, but may overtake each other by a few: those that
    have passed lately are remembered. Who asks for one before those has the reel played anew, from
    `before(number)`: the last start at or before it. So has who asks for one more than `patience`
    beyond a start that lies ahead: nearer, those between may be asked for yet. Where the reel broke
    it stays broken.
    """

    def __init__(
        self,
        play: Callable[[int], Items],
        before: Callable[[int], int] = lambda number: 0,
        patience: int = 0,
    ) -> None:
        self._play = play
        self._before = before
        self._patience = patience
        self._lock = threading.Lock()
        self._items: Items = iter(())
        self._recent: OrderedDict[int, bytes] = OrderedDict()
        self._weight = 0
        self._start = self._position = -1  # `_position`: the number of the latest item
        self._broken = ""

    def take(self, number: int) -> bytes:
        """The item of a number, from any thread.

        Raises `KeyError` if there is none, and what `play` raises of `UnreadableImage`.
        """
        with self._lock:
            if number not in self._recent:
                self._wind(number)
            return self._recent[number]

    def _wind(self, number: int) -> None:
        patience = 0 if self._broken else self._patience
        ahead = self._before(max(0, number - patience)) > self._position + 1
        if self._start == -1 or number <= self._position or ahead:
            self._rewind(self._before(number))
        if self._broken:
            raise UnreadableImage(self._broken)
        try:
            for position, item in self._items:
                self._position = position
                self._remember(position, item)
                if position >= number:
                    return
        except UnreadableImage as error:
            self._broken = str(error)
            raise

    def _rewind(self, start: int) -> None:
        self._items, self._broken = self._play(start), ""
        self._start, self._position = start, start - 1
        self._recent.clear()
        self._weight = 0

    def _remember(self, number: int, item: bytes) -> None:
        self._recent[number] = item
        self._weight += len(item)
        while self._weight > WINDOW and len(self._recent) > 1:
            self._weight -= len(self._recent.popitem(last=False)[1])
