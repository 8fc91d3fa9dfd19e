"""An image to take: what rows call it, and where its bytes lie."""

from dataclasses import dataclass
from typing import Protocol

from fiqa_cli.sources.reasons import UnreadableImage

LARGEST_IMAGE = 1 << 28
"""Bytes of an encoded image that is no file of its own; a larger one is refused unread."""


def check_size(size: int) -> None:
    """Raise `UnreadableImage` for a size above `LARGEST_IMAGE`, before as much is read."""
    if size > LARGEST_IMAGE:
        raise UnreadableImage(f"larger than {LARGEST_IMAGE >> 20} MB")


class Place(Protocol):
    """Where an image lies that is no file of its own: inside another file, or far away.

    Small and picklable, and nothing is open until it is read.
    """

    def read(self) -> bytes:
        """The encoded image, at most `LARGEST_IMAGE` bytes; any thread may ask.

        Raises `UnreadableImage`.
        """


@dataclass(frozen=True, slots=True)
class Entry:
    """One image to score. A `reason` says that it is known not to be readable, and why."""

    path: str
    """What rows call it, and `expand` understands: a path, a URL, or `shard.tar::0001.jpg`."""
    reason: str = ""
    place: Place | None = None
    """`None` for the local file at `path`."""


def image_of(entry: Entry) -> str | bytes:
    """What `decode` takes: the path of a file, else the bytes of an encoded image.

    Raises `UnreadableImage` if they cannot be read.
    """
    return entry.path if entry.place is None else entry.place.read()
