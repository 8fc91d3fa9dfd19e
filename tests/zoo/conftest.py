import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from zoo.server import Site, running


@pytest.fixture
def cache() -> Path:
    return Path(os.environ["FIQA_CACHE"])


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running() as made:
        yield made
