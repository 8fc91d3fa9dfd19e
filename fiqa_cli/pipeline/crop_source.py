"""From image files to crops: by detection, or as they are where they are crops already."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fiqa_cli.errors import FiqaError
from fiqa_cli.faces.choice import FaceChoice
from fiqa_cli.faces.detector import DETECTION_SIZE, DETECTION_THRESHOLD, Detector
from fiqa_cli.faces.face import LANDMARK_COLUMNS
from fiqa_cli.measures.pose import POSE_COLUMNS
from fiqa_cli.methods.device import cores
from fiqa_cli.methods.precision import Precision
from fiqa_cli.pipeline.crop_check import CropCheck
from fiqa_cli.pipeline.flow import Result, flow
from fiqa_cli.pipeline.jitter import Jitter
from fiqa_cli.pipeline.prospect import Prospect, crop_prospects, photo_prospects
from fiqa_cli.records.manifest import Artefact
from fiqa_cli.sources.isolation import GIGABYTES, SECONDS, IsolatedDecoder, Limits
from fiqa_cli.sources.listing import Entry
from fiqa_cli.zoo.checksum import cached_sha256
from fiqa_cli.zoo.registry import find, models
from fiqa_cli.zoo.store import locate

DEFAULT_DETECTOR = "scrfd-n"


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Which faces of the images a run takes, and where it computes. See `fiqa score --help`."""

    aligned: bool = False
    detector: str = DEFAULT_DETECTOR
    faces: FaceChoice = FaceChoice.ALL
    min_face: int = 0
    det_size: int = DETECTION_SIZE
    det_threshold: float = DETECTION_THRESHOLD
    device: str = "auto"
    precision: Precision = Precision.AUTO
    batch_size: int | None = None
    workers: int | None = None
    unordered: bool = False
    decode_timeout: float = SECONDS
    decode_memory: float = GIGABYTES


class CropSource:
    """A detector, loaded and ready; none if the images are aligned crops.

    Raises FiqaError for options that do not fit together and for weights that are not here.
    """

    def __init__(self, options: RunOptions, warn: Callable[[str], None], *, gpu: bool) -> None:
        self._options = options
        self._warn = warn
        self._decoder = IsolatedDecoder(Limits(options.decode_timeout, options.decode_memory))
        self._detector: Detector | None = None
        if not options.aligned:
            self._detector = Detector(
                find_detector(options.detector), options.det_size, options.det_threshold, gpu=gpu
            )

    @property
    def detail_columns(self) -> tuple[str, ...]:
        """The columns that details of a face come in."""
        return () if self._detector is None else (*LANDMARK_COLUMNS, *POSE_COLUMNS)

    @property
    def artefact(self) -> Artefact | None:
        """The detector, for the manifest."""
        if self._detector is None:
            return None
        return Artefact(self._options.detector, cached_sha256(self._detector.file))

    def flow(
        self,
        entries: Iterable[Entry],
        finish: Callable[[list[Prospect]], Iterable[Result]],
        batch_size: int,
        *,
        details: bool = False,
        jitter: Jitter | None = None,
    ) -> Iterator[Result]:
        """The results of `finish` for the prospects of all entries, in their order: see `flow`.

        With `details` the rows have the landmarks and the pose, with `jitter` the prospects
        further crops.
        """
        run = partial(
            flow,
            entries,
            finish=finish,
            batch_size=batch_size,
            workers=self._options.workers or cores(),
            unordered=self._options.unordered,
        )
        decode = self._decoder.decode_reduced
        try:
            if self._detector is None:
                check = CropCheck(self._warn)
                take = partial(crop_prospects, jitter=jitter, decode=decode)
                yield from run(prepare=take, inspect=check.look)
                check.finish()
                return
            prepare = partial(
                photo_prospects,
                detector=self._detector,
                choice=self._options.faces,
                min_face=self._options.min_face,
                details=details,
                jitter=jitter,
                decode=decode,
            )
            yield from run(prepare=prepare, inspect=self._name_detector)
        finally:
            # A run that is cut short waits for no image.
            self._decoder.stop()

    def _name_detector(self, prospect: Prospect) -> None:
        prospect.row.detector = self._options.detector


def find_detector(name_or_folder: str) -> Path:
    """The detector of the registry, or the folder of an insightface package of the user's.

    Raises FiqaError if it is neither, or its weights are not on this machine.
    """
    if name_or_folder not in models() and Path(name_or_folder).is_dir():
        return Path(name_or_folder)
    model = find(name_or_folder)
    if model.kind != "detector":
        raise FiqaError(f"{model.name} is no detector: 'fiqa models list' shows the detectors")
    # The very file whose hash was checked: another in its folder might sort before it.
    return locate(model) / model.detector
