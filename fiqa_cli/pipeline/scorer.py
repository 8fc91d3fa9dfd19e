"""Everything one run of scoring needs, put together once: for the command line and notebooks."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from fiqa_cli.errors import FiqaError
from fiqa_cli.faces.choice import FaceChoice
from fiqa_cli.faces.detector import DETECTION_SIZE, DETECTION_THRESHOLD, Detector
from fiqa_cli.faces.face import LANDMARK_COLUMNS
from fiqa_cli.methods.catalogue import load_method
from fiqa_cli.methods.device import cores, find_device
from fiqa_cli.methods.precision import Precision
from fiqa_cli.methods.settings import DEFAULTS, Settings
from fiqa_cli.pipeline.crop_check import CropCheck
from fiqa_cli.pipeline.prospect import crop_prospects, photo_prospects
from fiqa_cli.pipeline.score import score
from fiqa_cli.records.manifest import Artefact, Manifest
from fiqa_cli.records.row import COLUMNS, Row
from fiqa_cli.sources.listing import Entry
from fiqa_cli.zoo.checksum import cached_sha256
from fiqa_cli.zoo.registry import find, models
from fiqa_cli.zoo.store import locate

DEFAULT_MODEL = "ediffiqa-n"
DEFAULT_DETECTOR = "scrfd-n"


@dataclass(frozen=True)
class ScoreOptions:
    """What a score depends on, and how fast it comes. See `fiqa score --help`."""

    model: str = DEFAULT_MODEL
    aligned: bool = False
    detector: str = DEFAULT_DETECTOR
    faces: FaceChoice = FaceChoice.ALL
    min_face: int = 0
    det_size: int = DETECTION_SIZE
    det_threshold: float = DETECTION_THRESHOLD
    details: bool = False
    device: str = "auto"
    precision: Precision = Precision.AUTO
    batch_size: int | None = None
    workers: int | None = None
    settings: Settings = DEFAULTS


class Scorer:
    """A method and, unless the images are aligned crops, a detector, loaded and ready.

    Raises FiqaError for options that do not fit together and for weights that are not here.
    """

    def __init__(
        self, options: ScoreOptions, warn: Callable[[str], None] = lambda message: None
    ) -> None:
        self.options = options
        self.device = find_device(options.device)
        self._loaded = load_method(
            options.model, self.device, options.precision, options.batch_size, options.settings
        )
        self.method = self._loaded.method
        self._warn = warn
        self._detector: Detector | None = None
        if not options.aligned:
            self._detector = Detector(
                find_detector(options.detector),
                options.det_size,
                options.det_threshold,
                gpu=self.device.type == "cuda",
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the rows, in order."""
        if not self.options.details:
            return COLUMNS
        landmarks = () if self._detector is None else LANDMARK_COLUMNS
        return (*COLUMNS, *landmarks, *self.method.components)

    def manifest(self) -> Manifest:
        """How the rows come about, to be kept with them."""
        options = asdict(self.options)
        weights, recogniser = self._loaded.weights, None
        model = Artefact(options["model"], cached_sha256(weights) if weights else "")
        if self._loaded.recogniser is not None:
            name, file = self._loaded.recogniser
            recogniser = Artefact(name, cached_sha256(file))
        detector = None
        if self._detector is not None:
            detector = Artefact(options["detector"], cached_sha256(self._detector.file))
        return Manifest(
            options=options,
            model=model,
            recogniser=recogniser,
            detector=detector,
            seed=self._loaded.seed,
            device=str(self.device),
            precision=self.method.precision,
        )

    def score(self, entries: Iterable[Entry]) -> Iterator[Row]:
        """The rows of all entries, in their order, each as soon as it is known."""
        workers = self.options.workers or cores()
        details = self.options.details
        if self._detector is None:
            check = CropCheck(self._warn)
            yield from score(
                entries, crop_prospects, self.method, workers, check.look, details=details
            )
            check.finish()
            return
        prepare = partial(
            photo_prospects,
            detector=self._detector,
            choice=self.options.faces,
            min_face=self.options.min_face,
            details=details,
        )
        for row in score(entries, prepare, self.method, workers, details=details):
            row.detector = self.options.detector
            yield row


def find_detector(name_or_folder: str) -> Path:
    """The folder of an insightface package: a model of the registry, or a folder of the user's.

    Raises FiqaError if it is neither, or its weights are not on this machine.
    """
    if name_or_folder not in models() and Path(name_or_folder).is_dir():
        return Path(name_or_folder)
    model = find(name_or_folder)
    if model.kind != "detector":
        raise FiqaError(f"{model.name} is no detector: 'fiqa models list' shows the detectors")
    return locate(model)
