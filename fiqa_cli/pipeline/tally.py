"""What a run came to: counts and the spread of the quality, in constant memory."""

import random
from collections import Counter

from fiqa_cli.records.row import Row

SAMPLE = 20_000
"""Qualities kept for the summary; beyond that a uniform sample stands for all."""

FAILURES = ("unreadable", "failed")
"""Statuses of images that could not be judged; an image without a face was."""


class Tally:
    """Counts rows as they pass."""

    def __init__(self) -> None:
        self.images = 0
        self.barren = 0
        """Images without a row that is `ok`."""
        self.statuses: Counter[str] = Counter()
        self.qualities: list[float] = []
        """The qualities of all scored rows, or a uniform sample of `SAMPLE` of them."""
        self._random = random.Random(0)
        self._image_is_barren = False

    def count(self, row: Row) -> None:
        """Take one more row into account, in the order the pipeline yields them."""
        if not row.face:  # the faces of one image are numbered from 0
            self.images += 1
            self.barren += 1
            self._image_is_barren = True
        if row.status == "ok" and self._image_is_barren:
            self.barren -= 1
            self._image_is_barren = False
        self.statuses[row.status] += 1
        if row.quality is None:
            return
        if len(self.qualities) < SAMPLE:
            self.qualities.append(row.quality)
        elif (place := self._random.randrange(self.statuses["ok"])) < SAMPLE:
            self.qualities[place] = row.quality

    @property
    def failed(self) -> int:
        """How many images could not be judged."""
        return sum(self.statuses[status] for status in FAILURES)
