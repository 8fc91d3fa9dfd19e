import os
from pathlib import Path

import pytest

from fiqa_cli.records import durable


def test_a_name_is_put_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As rename(2) wants it: the folder is synced, after the rename."""
    synced: list[tuple[bool, set[str]]] = []

    def fsync(descriptor: int) -> None:
        is_folder = os.path.samestat(os.fstat(descriptor), tmp_path.stat())
        synced.append((is_folder, {path.name for path in tmp_path.iterdir()}))

    monkeypatch.setattr(os, "fsync", fsync)
    (tmp_path / "part").write_bytes(b"new")
    (tmp_path / "whole").write_bytes(b"old")
    durable.rename(tmp_path / "part", tmp_path / "whole")
    assert synced == [(True, {"whole"})]
    assert (tmp_path / "whole").read_bytes() == b"new"


@pytest.mark.parametrize("has_links", [True, False])
def test_a_name_that_is_taken_stays_so(
    tmp_path: Path, has_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "part").write_bytes(b"new")
    durable.publish(tmp_path / "part", tmp_path / "whole")
    assert (tmp_path / "whole").read_bytes() == b"new"
    (tmp_path / "part").unlink(missing_ok=True)
    (tmp_path / "part").write_bytes(b"newer")
    with pytest.raises(FileExistsError):
        durable.publish(tmp_path / "part", tmp_path / "whole")
    assert (tmp_path / "whole").read_bytes() == b"new"
