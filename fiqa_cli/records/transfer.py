"""Transfer: copy, move or link the images of chosen rows, never over anything that is there."""

import os
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator
from errno import EDQUOT, EFBIG, ENOSPC, EROFS
from pathlib import Path

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.durable import publish
from fiqa_cli.records.transfer_journal import Act, TransferJournal

_HOPELESS = {EDQUOT, EFBIG, ENOSPC, EROFS}


class Transfer:
    """Collects images of a report and puts them into a folder.

    Below it they keep their folders, from the one that all images of the report have in common:
    so equal names never meet, and the place of an image does not depend on what else was chosen.

    Images that are no files of their own are those that `inside` gives a path for: where they would
    lie were their container a folder. They go to their target by `take_out`, or not at all.
    """

    def __init__(
        self,
        kind: str,
        destination: Path,
        inside: Callable[[str], str | None] = lambda path: None,
        take_out: Callable[[str, Path], Path] | None = None,
    ) -> None:
        """`kind` is `copy`, `move` or `link`; `take_out` returns the path it has written."""
        self._kind = kind
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

        What an earlier run into the folder has done is not done again. Returns the number of
        failures. With `dry_run` nothing is touched.
        Raises `FiqaError` where no further image can be written either, as on a full disk.
        """
        failures = 0
        with TransferJournal(self._destination) as journal:
            for path, target in self.plan():
                inside = self._inside(path)
                source = path if inside else str(_absolute(path))
                act = Act(self._kind, source, target)
                if journal.has_done(act):
                    report(path, target, "")
                    continue
                trouble = self._trouble_inside(target) if inside else _trouble(Path(path), target)
                if not trouble and not dry_run:
                    trouble = self._act(journal, path, act)
                failures += bool(trouble)
                report(path, target, trouble)
        return failures

    def _act(self, journal: TransferJournal, path: str, act: Act) -> str:
        """Transfer one image; what failed."""
        try:
            journal.begin(act)
        except OSError as error:
            raise self._ends(error) from error
        try:
            act.target.parent.mkdir(parents=True, exist_ok=True)
            if act.source == path and self._inside(path) and self._take_out:
                act.target = self._take_out(path, act.target)
            else:
                _PLACES[self._kind](Path(path), act.target)
        except OSError as error:
            if error.errno in _HOPELESS:
                raise self._ends(error) from error
            journal.fail(act.target)
            if isinstance(error, FileExistsError):
                return f"{error.filename2 or error.filename or act.target} is already there"
            return error.strerror or str(error)
        try:
            journal.end(act.target)
        except OSError as error:
            raise self._ends(error) from error
        return ""

    def _ends(self, error: OSError) -> FiqaError:
        return FiqaError(
            f"cannot {self._kind} any more images to {self._destination}: "
            f"{(error.strerror or str(error)).lower()}; with that put right, the same command goes "
            f"on, and 'fiqa undo {shlex.quote(str(self._destination))}' takes back what was done"
        )

    def _trouble_inside(self, target: Path) -> str:
        if self._take_out is None:
            return "it is no file of its own: --copy-to can take it out"
        return f"{target} is already there" if os.path.lexists(target) else ""


def copy(source: Path, target: Path) -> None:
    """Copy content, mode and times; `target` is whole, or not there.

    Raises `FileExistsError` if it is there.
    """
    part = target.with_name(".fiqa.part")  # one run at a time; the next one clears it away
    try:
        with source.open("rb") as old, part.open("wb") as new:
            shutil.copyfileobj(old, new)
            new.flush()
            os.fsync(new.fileno())  # what is moved must be on the disk before its source goes
        shutil.copystat(source, part)
        publish(part, target)
    finally:
        part.unlink(missing_ok=True)


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


_PLACES = {"copy": copy, "move": move, "link": link}
