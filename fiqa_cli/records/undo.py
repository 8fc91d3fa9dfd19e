"""Undo: take back what a run of `fiqa filter` put into a folder, never over anything there."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.transfer import move
from fiqa_cli.records.transfer_journal import Act, is_half_moved, read_runs, state_of, write_runs


def undo(folder: Path, report: Callable[[Act, str], None], dry_run: bool = False) -> int:
    """Take back the latest run that put images into `folder`, its last act first.

    What was moved goes back; copies and links go, if nobody has changed them. `report` hears each
    act and what keeps it from being taken back ("" if nothing does). Such acts stay in the journal.
    Returns their number. With `dry_run` nothing is touched. Raises `FiqaError` if there is nothing
    to take back.
    """
    folder = folder.absolute()
    runs = read_runs(folder)
    if not runs:
        raise FiqaError(f"{folder} has no journal of fiqa filter: nothing to undo")
    *before, last = runs
    kept = []
    for act in reversed(last.acts):
        trouble, take_back = _plan(act)
        if not trouble and not dry_run:
            try:
                take_back()
                _remove_empty(act.target.parent, folder)
            except OSError as error:
                trouble = error.strerror or str(error)
        if trouble:
            kept.append(act)
        report(act, trouble)
    if not dry_run:
        last.acts = kept[::-1]
        write_runs(folder, [*before, last] if kept else before)
    return len(kept)


def _plan(act: Act) -> tuple[str, Callable[[], None]]:
    """What is in the way of taking back an act, and how it is done."""
    source, target = Path(act.source), act.target
    if not os.path.lexists(target):
        is_back = act.kind != "move" or os.path.lexists(source)
        return ("" if is_back else "neither it nor its source is there", lambda: None)
    if act.kind == "move":
        return _plan_move(act, source, target)
    if act.kind == "link":
        return ("" if target.is_symlink() else "it is no link any more", target.unlink)
    if "::" not in act.source and "://" not in act.source and not os.path.lexists(source):
        return "its source has gone: it is the last copy", target.unlink
    # Of a run that died before it noted the copy, which is as large and old as its source.
    expected = act.state or state_of(source)
    return ("" if state_of(target) == expected else "it was changed since"), target.unlink


def _plan_move(act: Act, source: Path, target: Path) -> tuple[str, Callable[[], None]]:
    if not os.path.lexists(source):

        def move_back() -> None:
            source.parent.mkdir(parents=True, exist_ok=True)
            move(target, source)

        return "", move_back
    # Both are there: the run died between the two halves of the move.
    return ("" if is_half_moved(act) else f"{source} is there again"), target.unlink


def _remove_empty(folder: Path, top: Path) -> None:
    with suppress(OSError, ValueError):  # not empty
        while folder.relative_to(top) != Path():
            folder.rmdir()
            folder = folder.parent
