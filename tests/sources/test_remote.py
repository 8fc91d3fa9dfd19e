import itertools
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.sources import network, remote
from fiqa_cli.sources.listing import count, expand
from sources.containers import (
    PHOTOS,
    members,
    reasons,
    write_bin,
    write_parquet,
    write_rec,
    write_tar,
)
from sources.videos import number_in, write_video
from sources.web import Site, running

_numbers = itertools.count()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(network, "_FIRST_PAUSE", 0.001)
    with running() as site:
        yield site


@pytest.fixture
def bucket() -> Iterator[str]:
    """A folder of its own in fsspec's memory."""
    yield f"memory://bucket-{next(_numbers)}"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def containers(tmp_path: Path) -> dict[str, bytes]:
    """One of each kind, by name."""
    named = {f"{number}.jpg": photo for number, photo in enumerate(PHOTOS)}
    write_tar(tmp_path / "a.tar", named)
    write_tar(tmp_path / "b.tar.gz", named, "w:gz")
    write_rec(tmp_path / "c.rec", PHOTOS)
    write_parquet(tmp_path / "d.parquet", list(PHOTOS), "img2dataset", row_group_size=4)
    write_bin(tmp_path / "e.bin", PHOTOS)
    write_video(tmp_path / "f.mp4", frames=20)
    return {path.name: path.read_bytes() for path in sorted(tmp_path.iterdir())}


def put(url: str, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        fsspec.filesystem("memory").pipe(f"{url}/{name}", content)


def local(folder: Path, files: dict[str, bytes]) -> dict[str, bytes]:
    """What the same files give from a folder."""
    found = members(*(folder / name for name in files if not name.endswith(".idx")))
    return {path.removeprefix(f"{folder}/"): content for path, content in found.items()}


def test_images_and_folders_of_a_store(bucket: str) -> None:
    put(bucket, {"b.JPG": PHOTOS[0], "a/x/1.png": PHOTOS[1], "a.jpg": PHOTOS[2], "t.txt": b"x"})
    put(bucket, {"a/2.jpg": PHOTOS[3], ".hidden/3.jpg": b"x", "noext": PHOTOS[4]})
    order = ["a/2.jpg", "a/x/1.png", "a.jpg", "b.JPG"]
    for given in (bucket, f"{bucket}/"):
        assert list(members(given)) == [f"{bucket}/{name}" for name in order]
    assert members(f"{bucket}/a")[f"{bucket}/a/2.jpg"] == PHOTOS[3]
    assert members(f"{bucket}/noext") == {f"{bucket}/noext": PHOTOS[4]}
    assert reasons(f"{bucket}/none.jpg", f"{bucket}/no/") == {
        f"{bucket}/none.jpg": "no such file or directory",
        f"{bucket}/no/": "no such file or directory",
    }


def test_containers_in_a_store(bucket: str, containers: dict[str, bytes], tmp_path: Path) -> None:
    put(bucket, containers)
    expected = local(tmp_path, containers)
    inputs = [f"{bucket}/{name}" for name in containers if not name.endswith(".idx")]
    found = members(*inputs)
    assert {path.removeprefix(f"{bucket}/"): found[path] for path in found} == expected
    assert members(*found) == found  # each by its name
    assert {path.split("::")[0] for path in members(bucket)} == {
        f"{bucket}/{name}" for name in ("a.tar", "b.tar.gz", "c.rec", "d.parquet")
    }
    assert count(inputs) is None


@pytest.mark.parametrize("ranges", [True, False])
def test_containers_on_the_web(
    site: Site,
    ranges: bool,
    containers: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In parts, or from their head where a server knows no parts, as Python's own."""
    monkeypatch.setattr(remote, "BLOCK", 3000)
    site.ranges = ranges
    site.files = {f"/data/{name}": content for name, content in containers.items()}
    inputs = [f"{site.url}/data/{name}" for name in containers if not name.endswith(".idx")]
    found = members(*inputs)
    expected = local(tmp_path, containers)
    assert {path.removeprefix(f"{site.url}/data/"): found[path] for path in found} == expected
    ranged = [asked for _, _, asked in site.requests if asked]
    assert len(ranged) > 10 if ranges else len(site.requests) < 60


def test_images_and_folders_on_the_web(site: Site) -> None:
    site.files = {"/d/b.jpg": PHOTOS[0], "/d/a/1.jpg": PHOTOS[1], "/d/x.txt": b"x"}
    site.files["/elsewhere/x.jpg"] = PHOTOS[2]
    assert members(f"{site.url}/d/") == {
        f"{site.url}/d/a/1.jpg": PHOTOS[1],
        f"{site.url}/d/b.jpg": PHOTOS[0],
    }
    signed = f"{site.url}/d/b.jpg?signature=a::b/c.tar"
    assert members(signed) == {signed: PHOTOS[0]}
    assert [request[0] for request in site.requests[-1:]] == ["GET"]  # one request an image


def test_names_with_two_colons_are_not_for_fsspec_to_join(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(PHOTOS[0])
    chained = f"simplecache::file://{tmp_path}/secret.jpg"
    assert reasons(chained) == {chained: "no such file or directory"}  # no URL, a file's name
    url = f"{bucket}/a::b.jpg"
    put(bucket, {"a::b.jpg": PHOTOS[1]})
    assert members(url) == {url: PHOTOS[1]}


@pytest.mark.parametrize("ranges", [True, False])
def test_dropped_connections_are_tried_again(
    site: Site, ranges: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "BLOCK", 4000)
    site.ranges = ranges
    site.drops = lambda path, number: 1500 if number % 3 else None
    named = {f"{number}.jpg": photo for number, photo in enumerate(PHOTOS)}
    site.files = {"/a.tar": write_tar(tmp_path / "a.tar", named).read_bytes(), "/b.jpg": PHOTOS[1]}
    found = members(f"{site.url}/a.tar", f"{site.url}/b.jpg")
    assert list(found.values()) == [*PHOTOS, PHOTOS[1]]


def test_a_server_that_recovers(site: Site) -> None:
    site.files = {"/a.jpg": PHOTOS[0]}
    site.statuses = [503, 429, 500]
    assert members(f"{site.url}/a.jpg") == {f"{site.url}/a.jpg": PHOTOS[0]}


def test_what_does_not_help_is_a_reason(site: Site, tmp_path: Path) -> None:
    site.files = {"/a.jpg": PHOTOS[0], "/a.tar": b"x" * 5000, "/page/": b""}
    url = f"{site.url}/a.jpg"
    for status in (500, 503):
        site.statuses = [status] * network.ATTEMPTS
        assert reasons(url) == {url: f"the server answers {status}"}
        assert not site.statuses
    for status, reason in ((403, "the server answers 403"), (404, "no such file or directory")):
        site.statuses = [status]
        assert reasons(url) == {url: reason}  # and no further try
    site.drops = lambda path, number: 10
    assert reasons(url) == {url: "the connection failed"}
    assert reasons(f"{site.url}/a.tar") == {f"{site.url}/a.tar": "the connection failed"}
    assert reasons(f"{site.url}/none.tar::x.jpg") == {
        f"{site.url}/none.tar::x.jpg": "no such file or directory"
    }


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_FIRST_PAUSE", 0.001)
    with running() as site:
        url = site.url
    for name in ("a.jpg", "a.tar", "d/"):
        assert reasons(f"{url}/{name}") == {f"{url}/{name}": "the connection failed"}


def test_images_of_any_size_are_not_taken(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fiqa_cli.sources.entry.LARGEST_IMAGE", 1 << 20)
    monkeypatch.setattr("fiqa_cli.sources.remote.LARGEST_IMAGE", 1 << 20)
    site.files = {"/a.jpg": bytes(5 << 20)}
    assert reasons(f"{site.url}/a.jpg") == {f"{site.url}/a.jpg": "larger than 1 MB"}


def test_offline_refuses_the_network_alone(bucket: str, tmp_path: Path) -> None:
    put(bucket, {"a.jpg": PHOTOS[0]})
    assert members(f"{bucket}/a.jpg", offline=True)
    for url in ("http://127.0.0.1:9/a.jpg", "s3://bucket/a.tar::b.jpg", "hf://datasets/a/b/"):
        with pytest.raises(FiqaError, match="offline, by --offline or FIQA_OFFLINE"):
            expand([url], offline=True)  # at once
        (tmp_path / "list").write_text(f"a.jpg\n{url}\n")
        entries = expand([f"@{tmp_path}/list"], offline=True)
        assert next(entries).path == "a.jpg"
        with pytest.raises(FiqaError, match="offline"):
            next(entries)


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("s3://bucket/a.jpg", "pip install s3fs"),
        ("gs://bucket/a.jpg", "pip install gcsfs"),
        ("hf://datasets/a/b.parquet", "pip install huggingface_hub"),
        ("https://host/a.jpg", "pip install aiohttp"),
    ],
)
def test_a_missing_package_is_one_line(
    url: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(protocol: str) -> None:
        raise ImportError(f"Install it to access {protocol}")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(FiqaError, match=package) as refusal:
        expand([url])
    assert "\n" not in str(refusal.value)


def test_a_store_that_cannot_be_reached_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its file system raises, even where it is made."""

    class Store(fsspec.AbstractFileSystem):
        def __init__(self, *arguments: object, **options: object) -> None:
            raise RuntimeError("no credentials\nsecond line")

    monkeypatch.setattr(network, "_FIRST_PAUSE", 0.001)
    fsspec.register_implementation("store", Store, clobber=True)
    for url in ("store://b/a.jpg", "store://b/a.tar", "store://b/c/", "store://b/c"):
        assert reasons(url) == {url: "no credentials"}


def test_protocols_that_nobody_knows() -> None:
    assert reasons("nope://x/a.jpg") == {"nope://x/a.jpg": "unknown protocol nope://"}
    assert reasons("pipe:cat /etc/passwd") == {"pipe:cat /etc/passwd": "no such file or directory"}


def test_a_local_file_of_that_name_goes_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "http:" / "host").mkdir(parents=True)
    (tmp_path / "http:" / "host" / "a.jpg").write_bytes(PHOTOS[0])
    assert members("http://host/a.jpg", offline=True) == {"http://host/a.jpg": PHOTOS[0]}


def test_frames_of_a_remote_video(site: Site, containers: dict[str, bytes]) -> None:
    site.files = {"/f.mp4": containers["f.mp4"]}
    assert [*map(number_in, members(f"{site.url}/f.mp4").values())] == [0, 15]
