"""Hostile files by the thousand, the same for the same seed and version of Pillow."""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from hostile.jpeg import jpegs
from hostile.mutations import mutations, truncations
from hostile.names import NAMES
from hostile.others import avifs, bmps, gifs, jp2s, netpbms, webps
from hostile.png import pngs
from hostile.polyglots import polyglots, strangers
from hostile.seeds import seeds
from hostile.tiff import tiffs

FOLDER = 500
"""Files of a folder."""


@dataclass(frozen=True, slots=True)
class HostileFile:
    """A file and its name, a single component, unlike that of any other."""

    name: bytes
    content: bytes


def made() -> Iterator[HostileFile]:
    """The files that are made with intent, about 1,500."""
    for extension, files in (
        ("jpg", jpegs()), ("png", pngs()), ("tif", tiffs()), ("gif", gifs()), ("bmp", bmps()),
        ("webp", webps()), ("ppm", netpbms()), ("jp2", jp2s()), ("avif", avifs()),
    ):  # fmt: skip
        for name, content in files:
            yield HostileFile(f"{extension}-{name}.{extension}".encode(), content)
    for name, content in chain(truncations(), polyglots(), strangers()):
        yield HostileFile(name.encode(), content)
    whole = seeds()["png"][1]
    for trouble in NAMES:
        yield HostileFile(trouble, whole)


def corpus(size: int, seed: int = 0) -> Iterator[HostileFile]:
    """`size` files: those made with intent as far as they go, then whole ones broken at random."""
    broken = mutations(random.Random(seed))
    more = (HostileFile(name.encode(), content) for name, content in broken)
    for _, file in zip(range(size), chain(made(), more), strict=False):
        yield file


def write(folder: Path, files: Iterator[HostileFile]) -> list[bytes]:
    """Write the files into folders below `folder`; their paths, in the order of the files."""
    paths = []
    for number, file in zip(count(), files, strict=False):
        within = os.path.join(os.fsencode(folder), b"%03d" % (number // FOLDER))
        os.makedirs(within, exist_ok=True)
        path = os.path.join(within, file.name)
        with open(path, "xb") as stream:
            stream.write(file.content)
        paths.append(path)
    return paths
