"""The qualities of a report in numbers, for whatever looks at all of them at once."""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.batches import check_one_model
from fiqa_cli.records.groups import archive_of, folder_of
from fiqa_cli.records.readers import Reader
from fiqa_cli.records.row import STATUSES, to_integer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fiqa_cli.records.batches import Batch


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What N rows say, in 32 bytes each, and the names of their folders."""

    model: str
    """What made the qualities; empty where the report does not say."""
    quality: "NDArray[np.float64]"
    """`[N]`, NaN where there is none."""
    row: "NDArray[np.int64]"
    """Place `[N]` of each row in the report, from 0."""
    image: "NDArray[np.int64]"
    """`[N]`, the same number for rows of one path, in this process only."""
    face: "NDArray[np.int32]"
    """Number `[N]` of each face within its image; 0 where it has none."""
    folder: "NDArray[np.int32]"
    """Place `[N]` of each row's folder in `folders`."""
    folders: list[str]
    """The folders that directly hold images, in order of their first row."""
    statuses: dict[str, int]
    """Rows of each status, in the order of `STATUSES`, then others."""

    @property
    def scored(self) -> "NDArray[np.bool_]":
        """Whether a row has a quality, `[N]`."""
        import numpy as np

        return ~np.isnan(self.quality)


def read_scores(reader: Reader, model: str | None = None) -> Scores:
    """Read all rows of a report, or those of one `model` and those that name none.

    Raises `FiqaError` without any quality, for qualities of several models, which do not
    compare, and for one that is infinite.
    """
    import numpy as np

    quality, row, image = array("d"), array("q"), array("q")
    face, folder = array("i"), array("i")
    folders: dict[str, int] = {}
    untold: set[str] = set()
    statuses: Counter[str] = Counter()
    models: dict[str, None] = {}
    count = 0
    for batch in reader:
        numbers: Iterable[int] = range(count, count + len(batch))
        count += len(batch)
        batch, numbers = _of_model(batch, numbers, model, models)
        paths = batch.paths()
        quality.extend(batch.qualities())
        row.extend(numbers)
        image.extend(map(hash, paths))
        face.extend(to_integer("face", number) or 0 for number in batch.column("face"))
        names = (_folder(path, untold) for path in paths)
        folder.extend(folders.setdefault(name, len(folders)) for name in names)
        statuses.update(status or "" for status in batch.column("status"))
    found = np.frombuffer(quality)
    if np.isnan(found).all():
        named = f" of {model}; it has {', '.join(models)}" if model and models else ""
        raise FiqaError(f"{reader.name} has no quality{named}: give a report that fiqa score wrote")
    if np.isinf(found).any():
        raise FiqaError(f"{reader.name} has an infinite quality: correct or remove its row")
    if model is None:
        check_one_model(reader.name, models)
    known = [status for status in STATUSES if status in statuses]
    others = sorted(statuses.keys() - set(STATUSES))
    return Scores(
        model=model or next(iter(models), ""),
        quality=found,
        row=np.frombuffer(row, np.int64),
        image=np.frombuffer(image, np.int64),
        face=np.frombuffer(face, np.int32),
        folder=np.frombuffer(folder, np.int32),
        folders=list(folders),
        statuses={status: statuses[status] for status in [*known, *others]},
    )


def _folder(path: str, untold: set[str]) -> str:
    """`folder_of`; of a training set that is not there, the set: numbers need not wait for it."""
    archive = archive_of(path)
    if archive not in untold:
        try:
            return folder_of(path)
        except FiqaError:
            untold.add(archive)
    return archive


def _of_model(
    batch: "Batch", numbers: Iterable[int], model: str | None, models: dict[str, None]
) -> "tuple[Batch, Iterable[int]]":
    """The rows of `model`, of which `models` takes note."""
    names = batch.column("model")
    models.update(dict.fromkeys(name for name in names if name))
    if model is None:
        return batch, numbers
    mask = [not name or name == model for name in names]
    return batch.select(mask), compress(numbers, mask)
