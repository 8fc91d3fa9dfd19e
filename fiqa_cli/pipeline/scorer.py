"""Everything one run of scoring needs, put together once: for the command line and notebooks."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial

from fiqa_cli.errors import FiqaError
from fiqa_cli.measures.vector import MEASURES
from fiqa_cli.methods.catalogue import load_method
from fiqa_cli.methods.device import find_device
from fiqa_cli.methods.settings import DEFAULTS, Settings
from fiqa_cli.pipeline.crop_source import CropSource, RunOptions
from fiqa_cli.pipeline.jitter import JITTER_COLUMNS, Jitter
from fiqa_cli.pipeline.score import score
from fiqa_cli.records.manifest import Artefact, Manifest
from fiqa_cli.records.row import COLUMNS, Row
from fiqa_cli.sources.listing import Entry
from fiqa_cli.zoo.checksum import cached_sha256

DEFAULT_MODEL = "ediffiqa-n"


@dataclass(frozen=True)
class ScoreOptions(RunOptions):
    """What a score depends on, and how fast it comes. See `fiqa score --help`."""

    model: str = DEFAULT_MODEL
    details: bool = False
    jitter: int = 0
    """Copies of each face that are aligned by moved landmarks; 0 or at least 2."""
    settings: Settings = DEFAULTS


class Scorer:
    """A method and, unless the images are aligned crops, a detector, loaded and ready.

    Raises FiqaError for options that do not fit together and for weights that are not here.
    """

    def __init__(
        self, options: ScoreOptions, warn: Callable[[str], None] = lambda message: None
    ) -> None:
        if options.jitter == 1:
            raise FiqaError("one jittered copy has no spread: give --jitter 2 or more")
        self.options = options
        self.device = find_device(options.device)
        self._loaded = load_method(
            options.model, self.device, options.precision, options.batch_size, options.settings
        )
        self.method = self._loaded.method
        if self._loaded.recogniser and self._loaded.recogniser.guess:
            warn(self._loaded.recogniser.guess)
        self._crops = CropSource(options, warn, gpu=self.device.type == "cuda")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the rows, in order."""
        more: tuple[str, ...] = ()
        if self.options.details:
            more = (*self._crops.detail_columns, *MEASURES, *self.method.components)
        if self.options.jitter:
            more = (*more, *JITTER_COLUMNS)
        return (*COLUMNS, *dict.fromkeys(more))

    @property
    def batch_size(self) -> int:
        """Crops that are scored at once."""
        return self.method.batch_size

    def manifest(self) -> Manifest:
        """How the rows come about, to be kept with them."""
        weights, recogniser = self._loaded.weights, None
        if beneath := self._loaded.recogniser:
            recogniser = Artefact(beneath.name, cached_sha256(beneath.file))
        return Manifest(
            options=asdict(self.options),
            model=Artefact(self.options.model, cached_sha256(weights) if weights else ""),
            recogniser=recogniser,
            detector=self._crops.artefact,
            seed=self._loaded.seed,
            device=str(self.device),
            precision=self.method.precision,
            engine=self._loaded.engine,
        )

    def score(self, entries: Iterable[Entry]) -> Iterator[Row]:
        """The rows of all entries, in their order, each as soon as it is known."""
        details, copies = self.options.details, self.options.jitter
        jitter = Jitter(copies, self._loaded.seed or 0) if copies else None
        finish = partial(score, method=self.method, details=details)
        return self._crops.flow(entries, finish, self.batch_size, details=details, jitter=jitter)
