"""Everything one run of embedding needs, put together once: for the command line and notebooks."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from fiqa_cli.methods.device import find_device
from fiqa_cli.methods.embedder import Embedder
from fiqa_cli.methods.loaded_recogniser import load_recogniser
from fiqa_cli.pipeline.crop_source import CropSource, RunOptions
from fiqa_cli.pipeline.embed import Embedded, embed
from fiqa_cli.records.embeddings import COLUMNS
from fiqa_cli.records.manifest import Artefact, Manifest
from fiqa_cli.sources.listing import Entry
from fiqa_cli.zoo.checksum import cached_sha256
from fiqa_cli.zoo.preprocessing import Pixels

DEFAULT_RECOGNISER = "fr-n"


@dataclass(frozen=True)
class EmbedOptions(RunOptions):
    """What an embedding depends on, and how fast it comes. See `fiqa embed --help`."""

    recogniser: str = DEFAULT_RECOGNISER
    preprocessing: Pixels | None = None
    with_flip: bool = False


class DatasetEmbedder:
    """A recogniser and, unless the images are aligned crops, a detector, loaded and ready.

    Raises FiqaError for options that do not fit together and for weights that are not here.
    """

    def __init__(
        self, options: EmbedOptions, warn: Callable[[str], None] = lambda message: None
    ) -> None:
        self._options = options
        self._device = find_device(options.device)
        loaded = load_recogniser(
            options.recogniser, self._device, options.precision, options.preprocessing, raw=True
        )
        if loaded.guess:
            warn(loaded.guess)
        self._embedder = Embedder(
            loaded, self._device, options.batch_size, with_flip=options.with_flip
        )
        # Embeddings with and without the flip do not compare: the name tells them apart.
        self.name = Path(loaded.name).name + "+flip" * options.with_flip
        """Of the recogniser, as the output states it."""
        self.sha256 = cached_sha256(loaded.file)
        """Of the recogniser's weights."""
        self.columns = COLUMNS
        """The columns of the rows, in order."""
        self.batch_size = self._embedder.batch_size
        """Crops that are embedded at once."""
        self._crops = CropSource(options, warn, gpu=self._device.type == "cuda")

    def manifest(self) -> Manifest:
        """How the embeddings come about, to be kept with them."""
        return Manifest(
            options=asdict(self._options),
            recogniser=Artefact(self._options.recogniser, self.sha256),
            detector=self._crops.artefact,
            device=str(self._device),
            precision=self._embedder.precision,
        )

    def embed(self, entries: Iterable[Entry]) -> Iterator[Embedded]:
        """The rows of all entries with their embeddings, in order, each as soon as it is known."""
        finish = partial(embed, embedder=self._embedder)
        return self._crops.flow(entries, finish, self.batch_size)
