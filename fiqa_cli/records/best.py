"""Best: which rows of each group are its best shots."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.groups import FOLDER, VIDEO, Key


@dataclass(frozen=True, slots=True)
class Best:
    """How many rows of each group stay, and how far from each other."""

    count: int
    by: tuple[str, ...] = (FOLDER,)
    """What makes a group: see `group_keys`."""
    apart: float = 0.0
    """Seconds that two chosen frames of a group lie apart at least."""

    @property
    def columns(self) -> set[str]:
        """The columns that a report must have."""
        return {"path", *self.by} - {FOLDER, VIDEO}


@dataclass(frozen=True, slots=True)
class Shot:
    """A row that may be chosen."""

    row: int
    quality: float
    group: Key
    moment: float | None = None
    """Seconds from the start of its video; `None` if it is no frame of one."""


def best_shots(shots: Iterable[Shot], best: Best) -> list[tuple[int, float]]:
    """Rows and qualities of the best shots of each group, in order of row.

    Taken by falling quality, of equals the earlier; with `apart`, one that is less than that from
    one already taken is passed over. Memory holds the rows chosen, or with `apart` all rows.
    Raises `FiqaError` with `apart` if there are shots, but none of a video.
    """
    chosen = _apart(shots, best) if best.apart else _top(shots, best.count)
    return sorted((shot.row, shot.quality) for shot in chosen)


def _top(shots: Iterable[Shot], count: int) -> Iterable[Shot]:
    groups: dict[Key, list[tuple[float, int, Shot]]] = {}
    for shot in shots:
        heap = groups.setdefault(shot.group, [])
        item = (shot.quality, -shot.row, shot)
        if len(heap) < count:
            heapq.heappush(heap, item)
        else:
            heapq.heappushpop(heap, item)
    return (shot for heap in groups.values() for _, _, shot in heap)


def _apart(shots: Iterable[Shot], best: Best) -> Iterable[Shot]:
    groups: dict[Key, list[Shot]] = {}
    for shot in shots:
        groups.setdefault(shot.group, []).append(shot)
    if groups and all(shot.moment is None for group in groups.values() for shot in group):
        raise FiqaError(
            "no path names a moment of a video, such as clip.mp4::12.5s: leave out --apart"
        )
    for group in groups.values():
        taken: list[Shot] = []
        for shot in sorted(group, key=attrgetter("quality"), reverse=True):
            if len(taken) == best.count:
                break
            if all(_far(shot, other, best.apart) for other in taken):
                taken.append(shot)
        yield from taken


def _far(one: Shot, other: Shot, apart: float) -> bool:
    if one.moment is None or other.moment is None:
        return True
    return abs(one.moment - other.moment) >= apart
