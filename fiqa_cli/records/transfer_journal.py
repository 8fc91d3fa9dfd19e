"""The journal of a folder that images were put into: what was done there, for `fiqa undo`.

JSON lines. A run is a header (`run`: its time), then for each image a line before it is touched
(`act`, `source`, `target`) and one after it (`done`: the target, with the file's size and time of
change; or `failed`). What a run that was killed has left between the two can be told by looking.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

from fiqa_cli.records.batches import dump_json
from fiqa_cli.records.lock import take
from fiqa_cli.records.row import from_bytes

NAME = ".fiqa-journal.jsonl"


@dataclass(slots=True)
class Act:
    """One image that was put into the folder, or was about to be."""

    kind: str
    """`copy`, `move` or `link`."""
    source: str
    """Absolute, or a member of a container as reports name it."""
    target: Path
    """Absolute."""
    state: list[int] | None = None
    """Size and time of change of the target once it was there; `None` if the run died before."""


class TransferJournal:
    """The journal of `folder`, which a run adds to; nothing is written before its first act."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stream: BinaryIO | None = None
        acts = [act for run in read_runs(folder) for act in run.acts]
        self._known = {(act.kind, act.source): act for act in acts}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream:
            self._stream.close()

    def has_done(self, act: Act) -> bool:
        """Whether an earlier run has done the same, and it is still so.

        Of a move that was cut short between its two halves the second is done now.
        """
        known = self._known.get((act.kind, act.source))
        # A member without an extension got one when it was taken out.
        if known is None or act.target not in (known.target, known.target.with_suffix("")):
            return False
        if act.kind == "move":
            if is_half_moved(known):
                Path(act.source).unlink()
            return os.path.lexists(act.target) and not os.path.lexists(act.source)
        if act.kind == "link" and known.state is None:
            return act.target.is_symlink()
        expected = known.state or state_of(Path(act.source))
        return expected is not None and state_of(known.target) == expected

    def begin(self, act: Act) -> None:
        """Note what is about to be done. Raises `OSError`; `FiqaError` while another run acts."""
        if self._stream is None:
            self._stream = self._open()
        self._write({"act": act.kind, "source": act.source, "target": str(act.target)})

    def end(self, target: Path) -> None:
        """Note that it was done, and what is there now."""
        self._write({"done": str(target), "state": state_of(target)})

    def fail(self, target: Path) -> None:
        """Note that `target` was not put there by the last act."""
        self._write({"failed": str(target)})

    def _open(self) -> BinaryIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        stream = take(self._folder / NAME, self._folder)
        self._stream = stream
        # The last line of a run that was killed may lack its end.
        if stream.tell():
            stream.write(b"\n")
        self._write({"run": datetime.now(UTC).isoformat(timespec="seconds")})
        return stream

    def _write(self, line: dict[str, Any]) -> None:
        assert self._stream is not None
        self._stream.write(dump_json(line) + b"\n")
        self._stream.flush()


@dataclass(slots=True)
class TransferRun:
    """What one run did, in order."""

    started: str
    acts: list[Act]


def read_runs(folder: Path) -> list[TransferRun]:
    """The runs of the journal of `folder`, the latest last; none if it has no journal."""
    runs: list[TransferRun] = []
    for line in _lines(folder / NAME):
        acts = runs[-1].acts if runs else []
        match line:
            case {"run": str(started)}:
                runs.append(TransferRun(started, []))
            case {"act": str(kind), "source": str(source), "target": str(target)}:
                acts.append(Act(kind, source, Path(target)))
            case {"done": str(target), "state": [int(size), int(changed)]} if acts:
                acts[-1].target = Path(target)  # it may have got an extension
                acts[-1].state = [size, changed]
            case {"failed": str()} if acts:
                acts.pop()
    return runs


def write_runs(folder: Path, runs: list[TransferRun]) -> None:
    """Replace the journal of `folder`; without runs it goes."""
    path = folder / NAME
    if not runs:
        path.unlink(missing_ok=True)
        return
    part = path.with_name(f"{NAME}.part")
    with part.open("wb") as stream:
        for run in runs:
            stream.write(dump_json({"run": run.started}) + b"\n")
            for act in run.acts:
                line = {"act": act.kind, "source": act.source, "target": str(act.target)}
                stream.write(dump_json(line) + b"\n")
                if act.state is not None:
                    done = {"done": str(act.target), "state": act.state}
                    stream.write(dump_json(done) + b"\n")
    part.replace(path)


def is_half_moved(act: Act) -> bool:
    """Whether a move was cut short when the target was whole and the source not yet removed."""
    state = state_of(act.target)
    return act.state is None and state is not None and state == state_of(Path(act.source))


def state_of(path: Path) -> list[int] | None:
    """Size and time of change of a file, or of a link itself; `None` if nothing is there."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as stream:
            for raw in stream:
                try:
                    line = json.loads(from_bytes(raw))
                except ValueError:  # torn when a run was killed
                    continue
                if isinstance(line, dict):
                    yield line
    except FileNotFoundError:
        return
