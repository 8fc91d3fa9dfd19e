import hashlib
import os
import random
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.model import Artifact, Model
from fiqa_cli.zoo.pull import pull
from fiqa_cli.zoo.receipt import read_receipt
from fiqa_cli.zoo.store import MissingWeights, locate, place, verify
from zoo.server import Handler, Site, drop_after, serve, status
from zoo.toys import sha, zip_file

# As an ONNX file begins: that is all that is looked at before a network is loaded.
BODY = b"\x08\x08\x12\x07pytorch" + random.Random(2).randbytes(60_000)
SHA = hashlib.sha256(BODY).hexdigest()


def zipped(folder: Path, members: dict[str, bytes]) -> bytes:
    return zip_file(folder / "p.zip", members).read_bytes()


@pytest.fixture
def model(site: Site) -> Model:
    site.files["/m.onnx"] = BODY
    artifact = Artifact("m.onnx", "onnx", site.url + "/m.onnx", sha256=SHA, bytes=len(BODY))
    return Model("m", "quality", "", "free", artifacts=(artifact,))


@pytest.fixture
def unhashed(model: Model) -> Model:
    return replace(model, artifacts=(replace(model.artifacts[0], sha256=None, bytes=None),))


@pytest.fixture
def pack(site: Site, tmp_path: Path) -> Model:
    site.files["/p.zip"] = zipped(tmp_path, {"p/det.onnx": b"detector", "p/rec.onnx": b"rec"})
    artifact = Artifact("p.zip", "pack", site.url + "/p.zip", sha256=sha(site.files["/p.zip"]))
    members = {"det.onnx": sha(b"detector")}
    return Model(
        "p", "detector", "", "free", artifacts=(artifact,), members=members, detector="det.onnx"
    )


def test_missing_weights_name_the_command(model: Model) -> None:
    with pytest.raises(MissingWeights, match=r"run: fiqa models pull m$"):
        locate(model)
    by_hand = replace(model, artifacts=(), obtain="m.pth from https://example.org")
    with pytest.raises(MissingWeights, match=r"get m\.pth .*: fiqa models import FILE --as m$"):
        locate(by_hand)
    with pytest.raises(MissingWeights, match="import FILE"):
        pull(by_hand)


def test_pull_then_locate_then_nothing_more(model: Model, site: Site, cache: Path) -> None:
    told: list[str] = []
    path = pull(model, notify=told.append)
    assert path == cache / "models" / "m" / "m.onnx" == locate(model)
    assert path.read_bytes() == BODY
    assert pull(model) == path
    assert len(site.requests) == 1
    assert told == []
    assert [check.result for check in verify(model)] == ["ok"]
    assert list((cache / "downloads").iterdir()) == []


def test_damage_is_found_on_use_and_mended_by_force(model: Model) -> None:
    path = pull(model)
    path.write_bytes(BODY[:-1] + b"?")
    with pytest.raises(FiqaError, match="pull m --force"):
        locate(model)
    assert [check.result for check in verify(model)] == ["damaged"]
    assert pull(model, force=True) == path
    assert path.read_bytes() == BODY


def test_hash_is_computed_once_while_the_file_does_not_change(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pull(model)
    for module in ("checksum", "store"):
        monkeypatch.setattr(f"fiqa_cli.zoo.{module}.sha256_of", lambda path: "hashed again")
    assert locate(model) == path
    # Not by touching it: the clock of file systems may tick every four milliseconds only.
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    with pytest.raises(FiqaError, match="sha256"):
        locate(model)


def test_wrong_file_is_not_installed(model: Model, site: Site, cache: Path) -> None:
    site.files["/m.onnx"] = BODY[::-1]
    with pytest.raises(FiqaError, match=SHA):
        pull(model)
    assert place(model) is None
    assert list((cache / "downloads").iterdir()) == []


def test_first_hash_is_recorded_and_held_to(unhashed: Model, site: Site, cache: Path) -> None:
    told: list[str] = []
    path = pull(unhashed, notify=told.append)
    assert f"recorded {SHA}" in told[0]
    entry = read_receipt(cache / "models" / "m")["m.onnx"]
    assert (entry.sha256, entry.published, entry.origin) == (SHA, False, site.url + "/m.onnx")
    site.files["/m.onnx"] = BODY + b"changed"
    with pytest.raises(FiqaError, match=r"first download.*delete .*models/m"):
        pull(unhashed, force=True)
    assert locate(unhashed) == path
    path.write_bytes(BODY[:-1] + b"?")
    with pytest.raises(FiqaError, match="sha256"):
        locate(unhashed)


def test_without_a_hash_the_content_must_at_least_be_weights(
    unhashed: Model, site: Site, cache: Path
) -> None:
    site.files["/m.onnx"] = b"404: Not Found, said with a 200"
    with pytest.raises(FiqaError, match="no weights"):
        pull(unhashed)
    assert list((cache / "downloads").iterdir()) == []
    assert place(unhashed) is None


def test_mirror_holds_files_by_their_name(
    model: Model, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.files["/mirror/m.onnx"] = site.files.pop("/m.onnx")
    pull(model, mirror=site.url + "/mirror/")
    monkeypatch.setenv("FIQA_MIRROR", site.url + "/mirror")
    pull(model, force=True)
    assert [r["path"] for r in site.requests] == ["/mirror/m.onnx"] * 2


def test_offline_uses_what_is_here_and_fetches_nothing(model: Model, site: Site) -> None:
    with pytest.raises(FiqaError, match="offline"):
        pull(model, offline=True)
    assert site.requests == []
    path = pull(model)
    assert pull(model, offline=True) == path


def test_most_original_file_wins_and_format_chooses(model: Model, site: Site) -> None:
    site.files["/m.pth"] = b"\x80\x02" + b"a torch file of old" * 9
    torch = Artifact("m.pth", "torch", site.url + "/m.pth")
    both = replace(model, artifacts=(torch, *model.artifacts))
    assert pull(both).name == "m.onnx"
    assert pull(both, format="torch").name == "m.pth"
    assert locate(both).name == "m.pth"
    with pytest.raises(FiqaError, match="not published as safetensors"):
        pull(both, format="safetensors")


def test_pack_is_unpacked_without_its_top_folder(pack: Model, cache: Path, site: Site) -> None:
    folder = pull(pack)
    assert folder == cache / "models" / "p"
    assert (folder / "det.onnx").read_bytes() == b"detector"
    assert {check.result for check in verify(pack)} == {"ok"}
    assert list((cache / "downloads").iterdir()) == []
    assert [p.name for p in (cache / "models").iterdir()] == ["p"]
    (folder / "rec.onnx").write_bytes(b"replaced")
    with pytest.raises(FiqaError, match="pull p --force"):
        locate(pack)
    (folder / "stray").touch()
    pull(pack, force=True)
    assert not (folder / "stray").exists()
    assert locate(pack) == folder


def test_pack_with_a_wrong_member_is_refused(
    pack: Model, site: Site, cache: Path, tmp_path: Path
) -> None:
    site.files["/p.zip"] = zipped(tmp_path, {"det.onnx": b"another"})
    wrong = replace(pack, artifacts=(replace(pack.artifacts[0], sha256=None),))
    with pytest.raises(FiqaError, match=r"det\.onnx has not the published"):
        pull(wrong)
    assert place(wrong) is None
    assert list((cache / "models").iterdir()) == []


def test_pack_without_its_detector_is_refused(pack: Model, site: Site, tmp_path: Path) -> None:
    site.files["/p.zip"] = zipped(tmp_path, {"p/rec.onnx": b"recogniser"})
    wrong = replace(pack, artifacts=(replace(pack.artifacts[0], sha256=None),))
    with pytest.raises(FiqaError, match=r"holds no det\.onnx"):
        pull(wrong)


def test_pack_in_insightface_folder_is_used_and_its_known_members_verified(pack: Model) -> None:
    folder = Path.home() / ".insightface" / "models" / "p"
    folder.mkdir(parents=True)
    (folder / "det.onnx").write_bytes(b"detector")
    (folder / "rec.onnx").write_bytes(b"recogniser")
    assert locate(pack) == folder
    assert [check.result for check in verify(pack)] == ["ok", "unknown"]
    (folder / "det.onnx").write_bytes(b"something else")
    with pytest.raises(FiqaError, match="sha256"):
        locate(pack)


def test_two_processes_pull_at_once_and_download_once(
    model: Model, site: Site, cache: Path, tmp_path: Path
) -> None:
    second_waits = threading.Event()

    def when_the_second_waits(handler: Handler) -> None:
        second_waits.wait(30)
        serve(handler)

    site.next = [when_the_second_waits]
    artifact = model.artifacts[0]
    program = textwrap.dedent(
        f"""
        from fiqa_cli.zoo.model import Artifact, Model
        from fiqa_cli.zoo.pull import pull
        file = Artifact("m.onnx", "onnx", {artifact.url!r}, sha256={SHA!r})
        print(pull(Model("m", "quality", "", "free", artifacts=(file,)), notify=print))
        """
    )
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    running = []
    for log in logs:
        with log.open("w") as file:
            running.append(subprocess.Popen([sys.executable, "-u", "-c", program], stdout=file))
    end = time.monotonic() + 30
    while not any("waiting" in log.read_text() for log in logs) and time.monotonic() < end:
        time.sleep(0.02)
    second_waits.set()
    assert [process.wait(30) for process in running] == [0, 0]
    assert all(log.read_text().endswith(f"{cache / 'models' / 'm' / 'm.onnx'}\n") for log in logs)
    assert sum("waiting" in log.read_text() for log in logs) == 1
    assert len(site.requests) == 1
    assert locate(model).read_bytes() == BODY


def test_interrupted_pull_is_continued_by_the_next(model: Model, site: Site) -> None:
    site.next = [drop_after(40_000)]

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(model, sleep=interrupt)
    assert place(model) is None
    pull(model)
    assert site.requests[-1]["Range"].startswith("bytes=")
    assert locate(model).read_bytes() == BODY


def test_server_error_says_what_to_try(model: Model, site: Site) -> None:
    site.next = [status(403)]
    with pytest.raises(FiqaError, match=r"403.*--mirror"):
        pull(model)
