import json
from datetime import datetime, timedelta

import pytest

from fiqa_cli import __version__
from fiqa_cli.errors import FiqaError
from fiqa_cli.records.manifest import (
    Artefact,
    Manifest,
    difference,
    manifest_path,
    read_manifest,
    write_manifest,
)


def test_a_manifest_survives_and_says_what_made_the_output(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["fiqa", "score", "\udce9.jpg"])
    manifest = Manifest(
        {"faces": "all"},
        model=Artefact("m", "00"),
        recogniser=Artefact("r", "22"),
        detector=Artefact("d", "11"),
        seed=7,
        device="cpu",
        precision="fp32",
        engine="torch",
    )
    assert manifest.ended is None
    manifest.finish({"ok": 3, "no-face": 1})
    output = tmp_path / "rows.csv"
    write_manifest(output, manifest)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv.manifest.json"]
    assert read_manifest(output) == manifest
    values = json.loads(manifest_path(output).read_text())
    assert values["version"] == __version__
    assert values["command"] == ["fiqa", "score", "\udce9.jpg"]
    assert values["counts"] == {"ok": 3, "no-face": 1}
    for moment in (values["started"], values["ended"]):
        assert datetime.fromisoformat(moment).utcoffset() == timedelta(0)


def test_no_manifest_is_none_and_a_damaged_one_is_an_error(tmp_path):
    output = tmp_path / "rows.csv"
    assert read_manifest(output) is None
    manifest_path(output).write_text('{"model": 1')
    with pytest.raises(FiqaError, match="no manifest"):
        read_manifest(output)
    manifest_path(output).write_text("[]")
    with pytest.raises(FiqaError, match="no manifest"):
        read_manifest(output)


def test_an_output_is_done_when_its_run_has_ended_and_nothing_of_it_is_lost(tmp_path):
    output = tmp_path / "rows.csv"
    manifest = Manifest({})
    output.write_bytes(b"1234")
    manifest.size = 4
    assert not manifest.is_done(output)
    manifest.finish({"ok": 1})
    assert manifest.is_done(output)
    output.write_bytes(b"123")
    assert not manifest.is_done(output)
    output.unlink()
    assert not manifest.is_done(output)


def test_runs_differ_in_what_rows_depend_on(tmp_path):
    def manifest(sha256="00", workers=1, size=640, seed=None):
        options = {"workers": workers, "det_size": size, "settings": {"seed": None, "copies": 2}}
        return Manifest(options, model=Artefact("m", sha256), seed=seed, device="cpu")

    write_manifest(tmp_path / "rows.csv", manifest())
    before = read_manifest(tmp_path / "rows.csv")
    assert difference(before, manifest()) is None
    assert difference(before, manifest(workers=8)) is None
    assert difference(before, manifest(size=320)) == "det_size 640, not 320"
    assert difference(before, manifest(sha256="11")) == "model sha256 00, not 11"
    assert difference(before, manifest(seed=7)) == "seed None, not 7"
    assert difference(before, manifest(size=320, seed=7), but=("det_size", "seed")) is None
    now = manifest()
    now.engine = "torch"
    assert difference(before, now) == "engine None, not torch"
    before.version = "0.0"
    assert difference(before, manifest()) == f"fiqa 0.0, not {__version__}"
    before = manifest()
    before.options["settings"]["copies"] = 3
    assert difference(before, manifest()) == "copies 3, not 2"


def test_a_clock_that_is_set_back(monkeypatch):
    manifest = Manifest(options={}, started="2026-05-01T12:00:00+00:00")
    monkeypatch.setattr("fiqa_cli.records.manifest._now", lambda: "2026-05-01T11:00:00+00:00")
    manifest.finish({})
    assert manifest.ended == manifest.started
    monkeypatch.setattr("fiqa_cli.records.manifest._now", lambda: "2026-05-01T12:30:00+00:00")
    manifest.finish({})
    assert manifest.ended == "2026-05-01T12:30:00+00:00"
