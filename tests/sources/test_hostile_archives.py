"""Tar files that are made to harm: rows and reasons, and nothing is touched on the disk."""

import os
import resource
import time
from pathlib import Path

import numpy as np
import pytest

from fiqa_cli.sources.decode import decode
from fiqa_cli.sources.entry import image_of
from fiqa_cli.sources.listing import expand
from fiqa_cli.sources.member import path_if_unpacked
from fiqa_cli.sources.reasons import UnreadableImage
from hostile.archives import tars

TARS = dict(tars())


def files(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("name", TARS)
def test_reasons_or_pixels(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "within" / name
    archive.parent.mkdir()
    archive.write_bytes(TARS[name])
    monkeypatch.chdir(archive.parent)
    before = files(tmp_path)
    begun = time.monotonic()
    good = 0
    for entry in expand([name]):
        assert entry.path == name or entry.path.startswith(f"{name}::")
        if entry.reason:
            assert "\n" not in entry.reason
            continue
        try:
            pixels = decode(image_of(entry))
        except UnreadableImage as error:
            assert "\n" not in str(error)
        else:
            assert pixels.dtype == np.uint8
            good += 1
        # Where it would lie if it were copied out: below the archive's own name.
        inside = os.path.normpath(path_if_unpacked(entry.path) or "")
        assert entry.path == name or inside.startswith(name)
    assert time.monotonic() - begun < 30
    assert files(tmp_path) == before
    if name.startswith(("name", "twice", "link")):
        assert good


def test_memory_stays_small_whatever_an_archive_claims(tmp_path: Path) -> None:
    """All of them, one after the other; the largest claims 8 GB, and the bomb holds 300 MB."""
    child = os.fork()
    if not child:
        code = 1
        try:
            used = Path("/proc/self/statm").read_text().split()[0]
            limit = int(used) * resource.getpagesize() + (400 << 20)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            for name, content in TARS.items():
                (tmp_path / name).write_bytes(content)
                for entry in expand([str(tmp_path / name)]):
                    if not entry.reason:
                        try:
                            decode(image_of(entry))
                        except UnreadableImage as error:
                            assert "memory" not in str(error)
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
