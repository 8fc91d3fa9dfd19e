"""Aligned face crops and their identities: from folders, tar shards, training sets and lists."""

import io
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.readers import open_reader
from fiqa_cli.sources.entry import Entry, image_of
from fiqa_cli.sources.member import find
from fiqa_cli.sources.reasons import UnreadableImage
from fiqa_cli.sources.record_file import labelled_entries
from fiqa_cli.sources.tar_shard import tar_entries

SIZE = 112
SUFFIXES = {".jpg", ".jpeg", ".png"}
_PACKED = (b"\x1f\x8b", b"BZ", b"\xfd7")
"""How gzip, bzip2 and xz begin."""


@dataclass(frozen=True)
class Crops:
    """Crops of several identities, in order of identity and name."""

    entries: list[Entry]
    names: list[str]
    """The names of the identities."""
    identities: NDArray[np.int64]
    """The number of each crop's identity, in `names`."""

    def __len__(self) -> int:
        return len(self.entries)

    def read(self, number: int) -> NDArray[np.uint8]:
        """Decode one crop as RGB uint8 `[112, 112, 3]`; from any thread.

        Raises `FiqaError` if it is no image, or of another size: training data must be aligned.
        """
        from PIL import Image, UnidentifiedImageError

        entry = self.entries[number]
        try:
            found = image_of(entry)
            with Image.open(found if isinstance(found, str) else io.BytesIO(found)) as image:
                crop = np.asarray(image.convert("RGB"))
        except (UnreadableImage, UnidentifiedImageError, OSError) as error:
            told = f"{entry.path} cannot be read as an image: remove it ({error})"
            raise FiqaError(told) from error
        if crop.shape != (SIZE, SIZE, 3):
            raise FiqaError(
                f"{entry.path}: {crop.shape[1]}x{crop.shape[0]}, expected an aligned 112x112 crop"
            )
        return crop

    def read_all(self, numbers: Iterable[int]) -> NDArray[np.uint8]:
        """The crops of these numbers, uint8 `[N, 112, 112, 3]`."""
        return np.stack([self.read(number) for number in numbers])


def open_crops(sources: Sequence[Path]) -> Crops:
    """Find the crops of all `sources` together; an identity may be spread over several.

    A folder holds `identity/name.jpg`; a tar shard holds members of such names; a `.rec` file is an
    InsightFace training set, whose labels are the identities; any other file is a list in one of
    the formats of a report, with the columns `path`, which may name a member of a container, and
    `identity`. Raises `FiqaError` for a source that does not exist, is broken or has no crops.
    """
    found: list[tuple[str, str, Entry]] = []
    for source in sources:
        before = len(found)
        try:
            found += _in(source)
        except UnreadableImage as error:
            raise FiqaError(f"{source}: {error}") from error
        if len(found) == before:
            raise FiqaError(f"{source}: no crops; give a folder that holds one folder per identity")
    found.sort(key=lambda each: each[:2])
    names, identities = np.unique([identity for identity, _, _ in found], return_inverse=True)
    entries = [entry for _, _, entry in found]
    return Crops(entries, [str(name) for name in names], identities.astype(np.int64))


def _in(source: Path) -> Iterator[tuple[str, str, Entry]]:
    """Identity, name and entry of each crop."""
    if source.is_dir():
        return _in_folder(source)
    if not source.is_file():
        raise FiqaError(f"there is no folder, tar shard, .rec file or list {source}")
    if source.suffix.lower() == ".rec":
        return _in_training_set(source)
    return _in_shard(source) if tarfile.is_tarfile(source) else _in_list(source)


def _in_folder(folder: Path) -> Iterator[tuple[str, str, Entry]]:
    for path in folder.glob("*/*"):
        if path.suffix.lower() in SUFFIXES:
            yield path.parent.name, path.name, Entry(str(path))


def _in_shard(shard: Path) -> Iterator[tuple[str, str, Entry]]:
    with shard.open("rb") as file:
        if file.read(2) in _PACKED:
            raise FiqaError(f"{shard} is compressed, and crops are read in any order: unpack it")
    for entry in tar_entries(str(shard)):
        name = Path(entry.path.removeprefix(f"{shard}::"))
        if not entry.reason and name.suffix.lower() in SUFFIXES and name.parent.name:
            yield name.parent.name, name.name, entry


def _in_training_set(file: Path) -> Iterator[tuple[str, str, Entry]]:
    for entry, label in labelled_entries(str(file)):
        yield f"{label:.0f}", entry.path, entry


def _in_list(file: Path) -> Iterator[tuple[str, str, Entry]]:
    with open_reader(file) as reader:
        for batch in reader:
            if len(batch) and "identity" not in batch.columns:
                raise FiqaError(f"{file} has no column identity: a list has path and identity")
            for path, identity in zip(batch.paths(), batch.column("identity"), strict=True):
                yield str(identity), path, find(path)


def hold_out(identities: NDArray[np.int64], count: int, seed: int) -> NDArray[np.bool_]:
    """Mark the crops of `count` identities drawn by `seed`: they are watched, never trained on.

    Raises `FiqaError` if that would leave no identity to train on.
    """
    if count > identities.max():
        raise FiqaError(f"there are {identities.max() + 1} identities: hold fewer out (--held-out)")
    chosen = np.random.default_rng(seed).choice(identities.max() + 1, count, replace=False)
    return np.isin(identities, chosen)
