"""Units: what a shard takes as a whole.

An image is a unit of its own. The images of one archive (and the frames of one video) are a unit
together, as whoever reads one of them has to go through the others too; but not those of `.rec`
and `.bin`, which are large and few, and where every image is found at once.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

_SEPARATOR = "::"
"""As `sources.container` has it."""
_DIVISIBLE = (".rec", ".bin")


def numbered(
    items: Iterable[Item], path: Callable[[Item], str], begins: Callable[[Item], bool]
) -> Iterator[tuple[int, Item]]:
    """Each item with the number of its unit, from 0.

    `path` is that of an item's image. An item that does not begin an image belongs to the unit of
    the item before it. The number depends on the items up to it only.
    """
    number = -1
    archive: str | None = None
    first = ""
    for item in items:
        if begins(item):
            name = path(item)
            # An archive that is named twice in succession begins anew with its first member.
            if archive is None or name == first or archive not in (name, _archive_of(name)):
                number += 1
                archive, first = _archive_of(name), name
        yield number, item


def _archive_of(path: str) -> str | None:
    """The archive whose images stay together, if `path` names a member of one."""
    archive, inside, _ = path.partition(_SEPARATOR)
    return archive if inside and not archive.lower().endswith(_DIVISIBLE) else None
