"""Shards: a run dealt out to several, for schedulers that know nothing of each other's work."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.units import numbered
from fiqa_cli.sources.entry import Entry

PLACE = "{shard}"
"""Stands for the shard in the name of an output."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Every `count`-th unit of a list of images, from the `number`-th on; the first is 1.

    A unit is an image, or all images of one archive: see `units.py`. Which shard takes an image
    depends on what is listed before it only, so shards stay what they are when images are added
    at the end. All shards together are the whole list.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The shard that `text` names, such as `3/16`. Raises `FiqaError` if it names none."""
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
        number, count = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= count:
            raise FiqaError(f"--shard {text} is none: give 1/16 for the first of 16, to 16/16")
        return cls(number, count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The images of this shard, in the order of the whole list `entries`."""
        for unit, entry in numbered(entries, lambda entry: entry.path, lambda entry: True):
            if unit % self.count == self.number - 1:
                yield entry

    def name(self, output: Path) -> Path:
        """`output` with `03-of-16` for `{shard}`, of equal length for all, so that they sort."""
        number = f"{self.number:0{len(str(self.count))}}-of-{self.count}"
        return output.with_name(output.name.replace(PLACE, number))
