"""What runs on the machines of a cluster: the scorer of one process, image by image as ever."""

import os
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiqa_cli import __version__
from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.device import CORES
from fiqa_cli.pipeline.scorer import ScoreOptions, Scorer
from fiqa_cli.records.manifest import Manifest
from fiqa_cli.records.row import Row
from fiqa_cli.sources.entry import Entry
from fiqa_cli.sources.network import is_url

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Surroundings:
    """What a process on another machine must have in common with the one that gives the command."""

    folder: str
    """That relative paths start from."""
    variables: dict[str, str]
    """`FIQA_…`"""
    version: str = __version__

    @classmethod
    def here(cls) -> "Surroundings":
        """Those of this process."""
        named = {name: os.environ[name] for name in os.environ if name.startswith("FIQA_")}
        return cls(str(Path.cwd()), named)

    def enter(self, cores: int, gpus: float) -> None:
        """Make this process one of them, with a share of its machine.

        Raises FiqaError if another version of fiqa is installed here. A folder that does not
        exist here is an error of the images in it, as absolute paths and URLs need none.
        """
        if self.version != __version__:
            raise FiqaError(
                f"a worker has fiqa {__version__}, not {self.version}: install one version on all"
            )
        os.environ |= self.variables | {CORES: str(cores)}
        if not gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        if Path(self.folder).is_dir():
            os.chdir(self.folder)


@dataclass(frozen=True)
class Description:
    """What must be known of the scorers on the workers."""

    columns: tuple[str, ...]
    batch_size: int
    manifest: Manifest
    notes: list[str]


@dataclass(frozen=True)
class Scored:
    """The rows of a chunk of images."""

    rows: list[Row]
    notes: list[str]
    """What is to be said of them."""


def describe(
    options: ScoreOptions, surroundings: Surroundings, cores: int, gpus: float
) -> Description:
    """Load a scorer as workers do. Raises FiqaError as it does."""
    surroundings.enter(cores, gpus)
    notes: list[str] = []
    scorer = Scorer(options, warn=notes.append)
    return Description(scorer.columns, scorer.batch_size, scorer.manifest(), notes)


class Worker:
    """A scorer for `map_batches`: takes chunks of images, gives their rows."""

    def __init__(
        self, options: ScoreOptions, surroundings: Surroundings, cores: int, gpus: float
    ) -> None:
        surroundings.enter(cores, gpus)
        self._folder = Path(surroundings.folder)
        self._notes: list[str] = []
        self._scorer = Scorer(replace(options, workers=cores), warn=self._notes.append)

    def __call__(self, batch: "dict[str, NDArray[Any]]") -> dict[str, list[Any]]:
        """The rows of `entries`; each cell is one chunk, pickled, as Ray divides what has rows."""
        chunks = map(pickle.loads, batch["entries"].tolist())
        return {"scored": [pickle.dumps(self._score(entries)) for entries in chunks]}

    def _score(self, entries: list[Entry]) -> Scored:
        self._require_folder(entries)
        self._notes.clear()
        rows = list(self._scorer.score(entries))
        return Scored(rows, list(self._notes))

    def _require_folder(self, entries: list[Entry]) -> None:
        if self._folder.is_dir():
            return
        for entry in entries:
            if not (is_url(entry.path) or Path(entry.path).is_absolute()):
                raise FiqaError(
                    f"the folder {self._folder} is not on all machines of the cluster: name the "
                    "images by absolute paths of a shared file system, or by URLs"
                )
