import hashlib
import os
import random
import socket
from email.utils import formatdate
from pathlib import Path
from time import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.download import ATTEMPTS, WrongFile, download
from zoo.server import Site, drop_after, ignore_range, running, send, serve, status

BODY = random.Random(1).randbytes(300_000)
SHA = hashlib.sha256(BODY).hexdigest()


class Sleeper(list[float]):
    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "weights.onnx"


@pytest.fixture
def site(site: Site) -> Site:
    site.files["/w"] = BODY
    return site


def asked_from(site: Site, number: int) -> int:
    return int(site.requests[number].get("Range", "bytes=0-").removeprefix("bytes=")[:-1])


def leftovers(target: Path) -> set[str]:
    return {file.name for file in target.parent.iterdir()}


def test_plain_download_reports_progress_and_leaves_only_the_file(site: Site, target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    digest = download(
        site.url + "/w", target, sha256=SHA, size=len(BODY), progress=lambda *at: seen.append(at)
    )
    assert digest == SHA
    assert target.read_bytes() == BODY
    assert leftovers(target) == {"weights.onnx"}
    assert seen[-1] == (len(BODY), len(BODY))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_dropped_connection_is_continued_where_it_broke(site: Site, target: Path) -> None:
    site.next = [drop_after(100_000), drop_after(50_000)]
    sleep = Sleeper()
    download(site.url + "/w", target, sha256=SHA, sleep=sleep)
    assert target.read_bytes() == BODY
    assert 80_000 < asked_from(site, 1) <= 100_000
    assert asked_from(site, 1) + 30_000 < asked_from(site, 2) <= 150_000
    assert len(sleep) == 2


def test_waits_grow_and_it_gives_up_keeping_what_came(site: Site, target: Path) -> None:
    site.next = [drop_after(70_000)] + [status(503)] * 20
    sleep = Sleeper()
    with pytest.raises(FiqaError, match=r"503.*kept"):
        download(site.url + "/w", target, sha256=SHA, sleep=sleep)
    assert len(site.requests) == ATTEMPTS
    assert sleep[-1] > sleep[0]
    assert not target.exists()
    kept = (target.parent / "weights.onnx.part").stat().st_size
    assert 50_000 < kept <= 70_000
    site.next = []
    download(site.url + "/w", target, sha256=SHA, sleep=sleep)
    assert asked_from(site, -1) == kept
    assert target.read_bytes() == BODY


def test_steady_small_progress_never_gives_up(site: Site, target: Path) -> None:
    site.next = [drop_after(20_000)] * 14
    download(site.url + "/w", target, sha256=SHA, sleep=Sleeper())
    assert target.read_bytes() == BODY


def test_server_that_ignores_range_starts_over(site: Site, target: Path) -> None:
    site.next = [drop_after(100_000), ignore_range]
    download(site.url + "/w", target, sha256=SHA, sleep=Sleeper())
    assert target.read_bytes() == BODY


def test_file_that_changed_meanwhile_is_not_mixed(site: Site, target: Path) -> None:
    site.next = [drop_after(100_000)]
    changed = bytes(reversed(BODY))

    def change(seconds: float) -> None:
        site.files["/w"], site.etag = changed, '"two"'

    assert download(site.url + "/w", target, sleep=change) == hashlib.sha256(changed).hexdigest()
    assert site.requests[1]["If-Range"] == '"one"'
    assert target.read_bytes() == changed


def test_changed_file_without_validator_is_noticed_by_its_hash(site: Site, target: Path) -> None:
    """A server without ETag cannot tell; the half-old half-new file is thrown away once."""
    site.etag = ""
    site.next = [lambda handler: handler.answer(200, bytes(len(BODY)), cut=100_000)]
    download(site.url + "/w", target, sha256=SHA, sleep=Sleeper())
    assert target.read_bytes() == BODY
    assert [asked_from(site, n) > 0 for n in range(3)] == [False, True, False]


def test_nothing_is_continued_without_validator_or_hash(site: Site, target: Path) -> None:
    site.etag = 'W/"weak"'
    site.next = [drop_after(100_000)]
    download(site.url + "/w", target, sleep=Sleeper())
    assert [r.get("Range") for r in site.requests] == [None, None]
    assert target.read_bytes() == BODY


def test_part_of_another_address_is_not_continued(site: Site, target: Path) -> None:
    site.next = [drop_after(100_000)] + [status(500)] * ATTEMPTS
    site.files["/other"] = BODY
    with pytest.raises(FiqaError):
        download(site.url + "/other", target, sha256=SHA, sleep=Sleeper())
    site.next = []
    download(site.url + "/w", target, sha256=SHA, sleep=Sleeper())
    assert "Range" not in site.requests[-1]


def test_complete_part_is_taken_when_the_server_says_416(site: Site, target: Path) -> None:
    site.next = [drop_after(100_000)] + [status(500)] * ATTEMPTS
    with pytest.raises(FiqaError):
        download(site.url + "/w", target, sha256=SHA, sleep=Sleeper())
    (target.parent / "weights.onnx.part").write_bytes(BODY)
    site.next = []
    download(site.url + "/w", target, sha256=SHA, sleep=Sleeper())
    assert site.requests[-1]["Range"] == f"bytes={len(BODY)}-"
    assert target.read_bytes() == BODY


def test_416_on_a_shorter_file_starts_over(site: Site, target: Path) -> None:
    site.next = [drop_after(100_000), status(416, Content_Range="bytes */50000")]
    download(site.url + "/w", target, sha256=SHA, sleep=Sleeper())
    assert target.read_bytes() == BODY


def test_wrong_part_of_the_file_starts_over(site: Site, target: Path) -> None:
    wrong = {"Content-Range": f"bytes 5-{len(BODY) - 1}/{len(BODY)}"}
    site.next = [drop_after(100_000), lambda handler: handler.answer(206, BODY[5:], wrong)]
    download(site.url + "/w", target, sha256=SHA, sleep=Sleeper())
    assert target.read_bytes() == BODY


def test_wrong_bytes_are_deleted_and_never_kept(site: Site, target: Path) -> None:
    site.files["/w"] = BODY[:-1] + b"!"
    with pytest.raises(WrongFile, match=SHA):
        download(site.url + "/w", target, sha256=SHA, sleep=Sleeper())
    assert leftovers(target) == set()
    assert len(site.requests) == 1


def test_a_wrong_file_over_a_bad_line_still_ends(site: Site, target: Path) -> None:
    site.files["/w"] = bytes(len(BODY))
    site.next = [drop_after(100_000), serve] * 20
    with pytest.raises(WrongFile):
        download(site.url + "/w", target, sha256=SHA, sleep=Sleeper())
    assert len(site.requests) == 4
    assert leftovers(target) == set()


def test_size_is_checked_before_anything_is_stored(site: Site, target: Path) -> None:
    with pytest.raises(WrongFile, match="300000 bytes instead of 5"):
        download(site.url + "/w", target, sha256=SHA, size=5)
    assert leftovers(target) == set()


def test_content_length_that_lies_is_a_dropped_connection(site: Site, target: Path) -> None:
    site.next = [lambda h: h.answer(200, BODY, {"Content-Length": str(len(BODY) + 7)})]
    download(site.url + "/w", target, sha256=SHA, sleep=Sleeper())
    assert target.read_bytes() == BODY


def test_no_content_length_at_all(site: Site, target: Path) -> None:
    def bare(handler: object) -> None:
        handler.send_response(200)  # type: ignore[attr-defined]
        handler.end_headers()  # type: ignore[attr-defined]
        handler.wfile.write(BODY)  # type: ignore[attr-defined]
        handler.close_connection = True  # type: ignore[attr-defined]

    site.next = [bare]
    download(site.url + "/w", target, sha256=SHA)
    assert target.read_bytes() == BODY


def test_503_then_ok_and_retry_after_is_obeyed(site: Site, target: Path) -> None:
    date = formatdate(time() + 30, usegmt=True)
    site.next = [status(503), status(429, Retry_After="7"), status(503, Retry_After=date)]
    sleep = Sleeper()
    download(site.url + "/w", target, sha256=SHA, sleep=sleep)
    assert sleep[1] == 7
    assert 25 < sleep[2] <= 30


def test_404_is_not_tried_again(site: Site, target: Path) -> None:
    sleep = Sleeper()
    with pytest.raises(FiqaError, match="404"):
        download(site.url + "/nothing", target, sleep=sleep)
    assert sleep == []


def test_log_in_page_is_no_weights_file(site: Site, target: Path) -> None:
    site.next = [send(b"<html>please log in</html>", Content_Type="text/html; charset=utf-8")]
    with pytest.raises(FiqaError, match="web page"):
        download(site.url + "/w", target)
    assert leftovers(target) == set()


def test_redirects_are_followed_and_continued(site: Site, target: Path) -> None:
    moved = status(302, Location="/w")
    site.next = [moved, drop_after(100_000), moved]
    download(site.url + "/old", target, sha256=SHA, sleep=Sleeper())
    assert target.read_bytes() == BODY
    assert asked_from(site, -1) > 80_000


def test_redirect_loop_ends(site: Site, target: Path) -> None:
    site.next = [status(302, Location="/w")] * 60
    with pytest.raises(FiqaError, match="redirect"):
        download(site.url + "/w", target, sleep=Sleeper())


def test_nobody_listening_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(FiqaError, match="connection failed") as raised:
        download(f"http://127.0.0.1:{port}/w", tmp_path / "w", sleep=Sleeper())
    assert "\n" not in str(raised.value)


def test_address_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(FiqaError, match="ftp"):
        download("ftp://127.0.0.1/w", tmp_path / "w", sleep=Sleeper())


@pytest.mark.parametrize("by", ["argument", "1", "true", "YES"])
def test_offline_opens_no_socket(
    by: str, site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", forbidden)
    if by != "argument":
        monkeypatch.setenv("FIQA_OFFLINE", by)
    with pytest.raises(FiqaError, match="offline"):
        download(site.url + "/w", target, offline=by == "argument")


def test_full_disk_is_noticed_before_the_download(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 64 * 2**20 + len(BODY) - 1})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(FiqaError, match="make room"):
        download(site.url + "/w", target)
    assert leftovers(target) == set()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unwritable_folder_names_the_remedy(site: Site, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(FiqaError, match="FIQA_CACHE"):
        download(site.url + "/w", tmp_path / "new" / "w")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    cuts=st.lists(st.integers(0, 5000), max_size=4),
    codes=st.lists(st.sampled_from([429, 500, 502, 503, 504, 408]), max_size=2),
    ranges=st.booleans(),
    order=st.randoms(),
)
def test_whatever_a_bad_line_does_the_file_is_right(
    cuts: list[int], codes: list[int], ranges: bool, order: random.Random, tmp_path_factory
) -> None:
    body = BODY[:4000]
    folder = tmp_path_factory.mktemp("line")
    with running() as site:
        site.files["/w"] = body
        site.next = [drop_after(cut) for cut in cuts] + [status(code) for code in codes]
        if not ranges:
            site.next.append(ignore_range)
        order.shuffle(site.next)
        try:
            download(
                site.url + "/w",
                folder / "w",
                sha256=hashlib.sha256(body).hexdigest(),
                sleep=Sleeper(),
            )
        except FiqaError as error:
            assert not (folder / "w").exists(), error
        else:
            assert (folder / "w").read_bytes() == body
