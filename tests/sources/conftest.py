"""Reading encoded pictures through a file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fiqa_cli.sources.decode import decode


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], np.ndarray]:
    def read(content: bytes) -> np.ndarray:
        path = tmp_path / "no extension"
        path.write_bytes(content)
        pixels = decode(str(path))
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
        return pixels

    return read
