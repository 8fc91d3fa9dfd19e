"""Aligned face crops and their identities: from folders, tar shards and lists."""

import io
import os
import tarfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.readers import open_reader

SIZE = 112
SUFFIXES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside an uncompressed tar: it is read without unpacking anything."""

    shard: Path
    name: str
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.shard}::{self.name}"


Place = Path | Member


@dataclass(frozen=True)
class Crops:
    """Crops of several identities, in order of identity and name."""

    places: list[Place]
    names: list[str]
    """The names of the identities."""
    identities: NDArray[np.int64]
    """The number of each crop's identity, in `names`."""
    _shards: "_Shards" = field(default_factory=lambda: _Shards())

    def __len__(self) -> int:
        return len(self.places)

    def read(self, number: int) -> NDArray[np.uint8]:
        """Decode one crop as RGB uint8 `[112, 112, 3]`; from any thread.

        Raises `FiqaError` if it is no image, or of another size: training data must be aligned.
        """
        from PIL import Image, UnidentifiedImageError

        place = self.places[number]
        try:
            with Image.open(self._shards.open(place)) as image:
                crop = np.asarray(image.convert("RGB"))
        except (UnidentifiedImageError, OSError) as error:
            raise FiqaError(f"{place} cannot be read as an image: remove it ({error})") from error
        if crop.shape != (SIZE, SIZE, 3):
            raise FiqaError(
                f"{place}: {crop.shape[1]}x{crop.shape[0]}, expected an aligned 112x112 crop"
            )
        return crop

    def read_all(self, numbers: Iterable[int]) -> NDArray[np.uint8]:
        """The crops of these numbers, uint8 `[N, 112, 112, 3]`."""
        return np.stack([self.read(number) for number in numbers])


class _Shards:
    """Tar files that stay open, read at any position by any thread."""

    def __init__(self) -> None:
        self._handles: dict[Path, int] = {}
        self._lock = threading.Lock()

    def open(self, place: Place) -> Path | io.BytesIO:
        if isinstance(place, Path):
            return place
        with self._lock:
            if place.shard not in self._handles:
                self._handles[place.shard] = os.open(place.shard, os.O_RDONLY)
        return io.BytesIO(os.pread(self._handles[place.shard], place.size, place.offset))


def open_crops(sources: Sequence[Path]) -> Crops:
    """Find the crops of all `sources` together; an identity may be spread over several.

    A folder holds `identity/name.jpg`; a tar shard holds members of such names; any other file is
    a list in one of the formats of a report, with the columns `path` and `identity`.
    Raises `FiqaError` for a source that does not exist or has no crops.
    """
    found: list[tuple[str, str, Place]] = []
    for source in sources:
        before = len(found)
        if source.is_dir():
            found += _in_folder(source)
        elif source.is_file():
            found += _in_shard(source) if tarfile.is_tarfile(source) else _in_list(source)
        else:
            raise FiqaError(f"there is no folder, tar shard or list {source}")
        if len(found) == before:
            raise FiqaError(f"{source}: no crops; give a folder that holds one folder per identity")
    found.sort(key=lambda each: each[:2])
    names, identities = np.unique([identity for identity, _, _ in found], return_inverse=True)
    places = [place for _, _, place in found]
    return Crops(places, [str(name) for name in names], identities.astype(np.int64))


def _in_folder(folder: Path) -> Iterator[tuple[str, str, Place]]:
    for path in folder.glob("*/*"):
        if path.suffix.lower() in SUFFIXES:
            yield path.parent.name, path.name, path


def _in_shard(shard: Path) -> Iterator[tuple[str, str, Place]]:
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                name = Path(member.name)
                if member.isfile() and name.suffix.lower() in SUFFIXES and name.parent.name:
                    place = Member(shard, member.name, member.offset_data, member.size)
                    yield name.parent.name, name.name, place
    except tarfile.TarError as error:
        raise FiqaError(f"{shard} is compressed or damaged: give a plain tar ({error})") from error


def _in_list(file: Path) -> Iterator[tuple[str, str, Place]]:
    with open_reader(file) as reader:
        for batch in reader:
            if len(batch) and "identity" not in batch.columns:
                raise FiqaError(f"{file} has no column identity: a list has path and identity")
            for path, identity in zip(batch.paths(), batch.column("identity"), strict=True):
                yield str(identity), path, Path(path)


def hold_out(identities: NDArray[np.int64], count: int, seed: int) -> NDArray[np.bool_]:
    """Mark the crops of `count` identities drawn by `seed`: they are watched, never trained on.

    Raises `FiqaError` if that would leave no identity to train on.
    """
    if count > identities.max():
        raise FiqaError(f"there are {identities.max() + 1} identities: hold fewer out (--held-out)")
    chosen = np.random.default_rng(seed).choice(identities.max() + 1, count, replace=False)
    return np.isin(identities, chosen)
