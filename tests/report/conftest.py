"""A small set of images with their report, and a browser to look at the page."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fiqa_cli.records.row import Row
from fiqa_cli.records.writers import open_writer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
]

HOSTILE = [
    "<img src=x onerror=harm()>.png",
    "'\"><svg onload=harm()>.png",
    "<∕script><script>harm()<∕script>.png".replace("∕", "\\"),
    "{{ 7*7 }}{% raise %}.png",
    "\u202egnp.exe\u2028.png",
    "javascript:harm().png",
    "&lt;b&gt;.png",
    "line\nfeed\ttab.png",
    os.fsdecode(b"latin\xe9.png"),
]
"""Names that a page must show and never run."""


def save_image(path: Path, seed: int, size: tuple[int, int] = (112, 112)) -> None:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        coarse.resize(size, Image.Resampling.BICUBIC).save(stream, "PNG")


def write_scores(path: Path, rows: list[Row]) -> Path:
    with open_writer(path, "csv") as writer:
        writer.write(rows)
    return path


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `scores.csv`, `other.csv` of another model, and the images of both."""
    folder = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    rows, others = [], []
    names = [f"{name}/{number:02d}.png" for name in ("ann", "bob", "cleo") for number in range(40)]
    names += [f"<i>x<i>/{name}" for name in HOSTILE]
    for seed, name in enumerate(names):
        path = str(folder / name)
        save_image(Path(path), seed)
        low = seed % 4 == 0 and "bob" in name
        quality = float(np.float32(rng.normal(0.3 if low else 0.8, 0.05)))
        rows.append(Row(path, 0, quality=quality, model="<u>m<u>", width=112, height=112))
        others.append(Row(path, 0, quality=quality * 50 + rng.normal(0, 5), model="n"))
    rows.append(Row(str(folder / "cat.png"), status="no-face", model="<u>m<u>"))
    rows.append(Row(str(folder / "gone.png"), 0, quality=0.999, model="<u>m<u>"))
    write_scores(folder / "scores.csv", rows)
    write_scores(folder / "other.csv", others)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium of the system, through playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield chromium
        chromium.close()
