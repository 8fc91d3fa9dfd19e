"""The benchmark of the measures, whose degradations the tests use, and faces to degrade."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from fiqa_cli.faces.alignment import align
from fiqa_cli.faces.detector import Detector
from fiqa_cli.samples import write_samples
from fiqa_cli.sources.decode import decode
from fiqa_cli.zoo.builtin import weights_folder


@pytest.fixture(scope="session")
def benchmark() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
        yield import_module("measured_degradations")


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("samples")
    return {path.stem: str(path) for path in write_samples(folder)}


@pytest.fixture(scope="session")
def detector() -> Detector:
    return Detector(weights_folder() / "scrfd-n")


@pytest.fixture(scope="session")
def crops(samples: dict[str, str], detector: Detector) -> list[NDArray[np.uint8]]:
    """The seven faces of the samples, aligned."""
    photos = [decode(samples[name]) for name in ("astronaut", "group")]
    return [align(photo, face.landmarks) for photo in photos for face in detector.detect(photo)]
