"""Quality labels from a report of `fiqa score`: any method can teach."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.readers import open_reader
from fiqa_cli.training.crops import Crops


def read_labels(report: Path, crops: Crops) -> NDArray[np.float32]:
    """The quality of each crop in a report of any format, NaN where it has none.

    A row belongs to the crop of the same file; where files have moved since, or came out of a tar
    shard, to the one crop with the same folder and name. Of several rows for an image the first
    with a quality counts. Raises `FiqaError` if no row belongs to a crop, or a row to several.
    """
    by_file = {_file(entry.path): number for number, entry in enumerate(crops.entries)}
    by_tail: dict[tuple[str, ...], int] = {}
    twice = set()
    for number, entry in enumerate(crops.entries):
        tail = _tail(entry.path)
        if tail in by_tail:
            twice.add(tail)
        by_tail[tail] = number
    labels = np.full(len(crops), np.nan, np.float32)
    with open_reader(report) as reader:
        for batch in reader:
            for path, quality in zip(batch.paths(), batch.qualities(), strict=True):
                found = by_file.get(_file(path))
                if found is None:
                    tail = _tail(path)
                    if tail in twice:
                        raise FiqaError(
                            f"{report}: {path} may be any of several images {'/'.join(tail)}: "
                            "score the very files that you train on"
                        )
                    found = by_tail.get(tail)
                if found is not None and np.isnan(labels[found]):
                    labels[found] = quality
    if np.isnan(labels).all():
        raise FiqaError(
            f"{report} has no quality for any of these images, such as {crops.entries[0].path}: "
            "score them first, with fiqa score FOLDER --aligned -o FILE"
        )
    return labels


def _file(path: str) -> str:
    return str(Path(path).absolute())


def _tail(path: str) -> tuple[str, ...]:
    return Path(path.rpartition("::")[2]).parts[-2:]
