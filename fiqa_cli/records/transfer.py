"""Transfer: copy, move or link the images of chosen rows, never over anything that is there."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path


class Transfer:
    """Collects images of a report and puts them into a folder.

    Below it they keep their folders, from the one that all images of the report have in common:
    so equal names never meet, and the place of an image does not depend on what else was chosen.

    Images that are no files of their own are those that `inside` gives a path for: where they would
    lie were their container a folder. They go to their target by `take_out`, or not at all.
    """

    def __init__(
        self,
        place: Callable[[Path, Path], None],
        destination: Path,
        inside: Callable[[str], str | None] = lambda path: None,
        take_out: Callable[[str, Path], None] | None = None,
    ) -> None:
        self._place = place
        self._inside = inside
        self._take_out = take_out
        self._destination = _absolute(str(destination))
        self._folders: set[str] = set()
        self._chosen: dict[str, None] = {}

    def see(self, paths: Iterable[str]) -> None:
        """Take note of all images of the report, chosen or not."""
        places = (self._inside(path) or path for path in paths)
        self._folders.update(place[: place.rfind("/") + 1] for place in places)

    def choose(self, paths: Iterable[str]) -> None:
        """Images to transfer, each seen before; one that several rows name counts once."""
        self._chosen.update(dict.fromkeys(paths))

    def plan(self) -> Iterator[tuple[str, Path]]:
        """Each chosen image as named, with its absolute target."""
        if not self._chosen:
            return
        common = os.path.commonpath([_absolute(folder) for folder in self._folders])
        done = set()
        for path in self._chosen:
            inside = self._inside(path)
            source = _absolute(inside or path)
            name = path if inside else source
            if name not in done:
                done.add(name)
                yield path, self._destination / source.relative_to(common)

    def run(self, report: Callable[[str, Path, str], None], dry_run: bool = False) -> int:
        """Transfer all; `report` hears source, target and what failed ("" if nothing did).

        Returns the number of failures. With `dry_run` nothing is touched.
        """
        failures = 0
        for path, target in self.plan():
            inside = self._inside(path)
            trouble = self._trouble_inside(target) if inside else _trouble(Path(path), target)
            if not trouble and not dry_run:
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    if inside and self._take_out:
                        self._take_out(path, target)
                    else:
                        self._place(Path(path), target)
                except FileExistsError as error:
                    trouble = f"{error.filename or target} is already there"
                except OSError as error:
                    trouble = error.strerror or str(error)
            failures += bool(trouble)
            report(path, target, trouble)
        return failures

    def _trouble_inside(self, target: Path) -> str:
        if self._take_out is None:
            return "it is no file of its own: --copy-to can take it out"
        return f"{target} is already there" if os.path.lexists(target) else ""


def copy(source: Path, target: Path) -> None:
    """Copy content, mode and times. Raises `FileExistsError` if `target` is there."""
    with source.open("rb") as old, target.open("xb") as new:
        try:
            shutil.copyfileobj(old, new)
            new.flush()
            shutil.copystat(source, target)
        except BaseException:
            target.unlink()
            raise


def move(source: Path, target: Path) -> None:
    """Move a file. Raises `FileExistsError` if `target` is there.

    A symbolic link is replaced by one that still finds its file.
    """
    if source.is_symlink():
        target.symlink_to(source.resolve())
    else:
        try:
            # Unlike a rename, a hard link never replaces what is there.
            target.hardlink_to(source)
        except FileExistsError:
            raise
        except OSError:
            copy(source, target)
    source.unlink()


def link(source: Path, target: Path) -> None:
    """Make a symbolic link: relative if `source` is, so that both can be moved together."""
    aim = source.parent.resolve() / source.name
    if source.is_absolute():
        target.symlink_to(aim)
    else:
        target.symlink_to(os.path.relpath(aim, target.parent.resolve()))


def _absolute(path: str) -> Path:
    """`path` from the root, without `..`; links are not followed."""
    return Path(os.path.normpath(Path.cwd() / path))


def _trouble(source: Path, target: Path) -> str:
    if not os.path.lexists(source):
        if "::" in str(source):
            return "its archive is not here (paths count from the current folder)"
        return "no such file (paths count from the current folder)"
    if not source.is_file():
        return "not a file"
    if os.path.lexists(target):
        return f"{target} is already there"
    return ""
