"""Commands over files that hold images, and over URLs."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from cli.command import fiqa
from cli.interruption import (
    assert_same_rows,
    assert_whole,
    cut_off,
    here,
    noise,
    score,
    size_of,
)
from fiqa_cli.cli.options import milliseconds
from fiqa_cli.errors import FiqaError
from sources.containers import (
    PHOTOS,
    write_bin,
    write_parquet,
    write_rec,
    write_tar,
)
from sources.videos import write_video
from sources.web import running


@pytest.fixture(scope="module")
def shards(planted: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one container of each kind, some images and members unreadable."""
    folder = tmp_path_factory.mktemp("shards")
    images = []
    for seed in range(6):
        noise(str(folder / "x.png"), seed, faces=(2, 0, 3)[seed % 3], size=(40, 50))
        images.append((folder / "x.png").read_bytes())
    named = {f"id/{number}.png": image for number, image in enumerate(images)}
    write_tar(folder / "a.tar", {**named, "bad.jpg": b"no image", "id/0.png.txt": b""})
    write_tar(folder / "b.tar.gz", named, "w:gz")
    whole = (folder / "b.tar.gz").read_bytes()
    (folder / "b.tar.gz").write_bytes(whole[: len(whole) * 2 // 3])
    write_rec(folder / "c.rec", images)
    write_parquet(folder / "d.parquet", [*images[:3], None], "img2dataset", row_group_size=2)
    write_parquet(folder / "e.parquet", images[:3], "huggingface")
    write_video(folder / "f.mp4", frames=40, left=2)
    return folder


@pytest.fixture(scope="module")
def finished(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    for format in ("csv", "jsonl", "parquet"):
        assert score(shards, folder / f"a.{format}", "--every", "0.5s") == 1
    return folder


def rows(report: Path) -> list[dict]:
    return [json.loads(line) for line in report.read_text().splitlines()]


def test_every_kind_is_scored_in_a_fixed_order(shards: Path, finished: Path) -> None:
    found = rows(finished / "a.jsonl")
    paths = list(dict.fromkeys(row["path"].removeprefix(f"{shards}/") for row in found))
    tar = [*(f"a.tar::id/{n}.png" for n in range(6)), "a.tar::bad.jpg"]
    assert paths[:7] == tar
    packed = [path for path in paths if path.startswith("b.tar.gz")]
    assert packed[:3] == [f"b.tar.gz::id/{n}.png" for n in range(3)]
    assert packed[-1] == "b.tar.gz"
    assert paths[7 + len(packed) :] == [
        *(f"c.rec::{n}" for n in range(1, 7)),
        *(f"d.parquet::{n:09}" for n in range(4)),
        *(f"e.parquet::{n}" for n in range(3)),
        *(f"f.mp4::{time}s" for time in ("0.000", "0.500", "1.000")),
        "x.png",
    ]
    bad = {row["path"].removeprefix(f"{shards}/"): row["error"] for row in found if row["error"]}
    assert bad.pop("b.tar.gz") == "truncated gzip file"
    assert {path: bad[path] for path in bad if not path.startswith("b.tar.gz")} == {
        "a.tar::bad.jpg": "not an image of a supported format",
        "d.parquet::000000003": "no image in this row",
    }


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("part", [0.1, 0.35, 0.6, 0.85, 0.99])
def test_an_interrupted_run_goes_on_to_the_same_file(
    shards: Path, finished: Path, tmp_path: Path, format: str, part: float
) -> None:
    size = round(part * size_of(finished, format))
    output = cut_off(finished, tmp_path, format, size)
    assert score(shards, output, "--every", "0.5s", "--resume") == 1
    assert_whole(output, finished)


def test_another_list_of_members_is_refused(
    shards: Path, finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = cut_off(finished, tmp_path, "csv", size_of(finished, "csv") - 10)
    before = output.read_bytes()
    assert score(shards, output, "--every", "0.1s", "--resume") == 2
    assert "name the same images" in capfd.readouterr().err
    assert output.read_bytes() == before


def test_paths_of_members_can_be_given_again(finished: Path, tmp_path: Path) -> None:
    done = fiqa("filter", finished / "a.csv", "--status", "ok,no-face", "-0")
    (tmp_path / "list").write_bytes(done.stdout)
    output = tmp_path / "again.jsonl"
    assert score(Path(f"@{tmp_path}/list"), output, "-0") == 0
    expected = [row for row in rows(finished / "a.jsonl") if row["status"] in ("ok", "no-face")]
    assert rows(output) == expected


SHARPNESS = ("--aligned", "-m", "sharpness", "-q")


def test_members_are_copied_under_their_names(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.tar", "c.rec", "c.idx", "d.parquet", "e.parquet", "f.mp4"):
        os.link(shards / name, name)
    write_bin(Path("g.bin"), PHOTOS[:2])
    inputs = ("a.tar::id/0.png", "c.rec", "d.parquet::000000001", "e.parquet", "g.bin")
    assert here("score", *inputs, "f.mp4::0.500s", *SHARPNESS, "-o", "rows.csv") == 0
    assert here("filter", "rows.csv", "-q", "--copy-to", "good") == 0
    copied = {str(path.relative_to("good")) for path in Path("good").glob("**/*.*g")}
    assert copied == {
        "a.tar/id/0.png",
        *(f"c.rec/{n}.png" for n in range(1, 7)),
        "d.parquet/000000001.png",
        *(f"e.parquet/{n}.png" for n in range(3)),
        "g.bin/0.jpg",
        "g.bin/1.jpg",
    }
    assert Path("good/f.mp4/0.500s.bmp").stat().st_size > 1000
    assert Path("good/g.bin/1.jpg").read_bytes() == PHOTOS[1]
    capfd.readouterr()
    assert here("filter", "rows.csv", "-q", "--copy-to", "good") == 0  # nothing is left to do
    Path("good/.fiqa-journal.jsonl").unlink()
    assert here("filter", "rows.csv", "-q", "--copy-to", "good") == 1
    assert capfd.readouterr().err.count("is already there") == len(copied) + 1
    for action in ("--move-to", "--link-to"):
        assert here("filter", "rows.csv", "-q", action, "other") == 1
        assert "--copy-to can take it out" in capfd.readouterr().err
    assert not Path("other").exists()


def test_hostile_names_are_copied_below_the_destination(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    with tarfile.open("evil.tar", "w") as archive:
        for name in ("../../up.jpg", "/abs.jpg", "a/../../b.jpg", "twice.jpg", "twice.jpg"):
            member = tarfile.TarInfo(name)
            member.size = len(PHOTOS[0])
            archive.addfile(member, io.BytesIO(PHOTOS[0]))
    assert here("score", "evil.tar", *SHARPNESS, "-o", "rows.csv") == 0
    assert here("filter", "rows.csv", "-q", "--copy-to", "in/good") == 1
    assert "evil.tar::twice.jpg: several members have this name" in capfd.readouterr().err
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.jpg")}
    assert made == {f"work/in/good/{name}.jpg" for name in ("up", "abs", "a/b")}
    assert not Path("/abs.jpg").exists()


def test_urls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with running() as site:
        shard = write_tar(Path("b.tar"), {"x.jpg": PHOTOS[1]})
        site.files = {"/a.jpg": PHOTOS[0], "/b.tar": shard.read_bytes()}
        urls = (f"{site.url}/a.jpg", f"{site.url}/b.tar", f"{site.url}/c.jpg")
        command = ("score", *urls, *SHARPNESS, "-o", "rows.jsonl")
        assert here(*command) == 1
        found = rows(Path("rows.jsonl"))
        assert [(row["path"], row["status"], row["error"]) for row in found] == [
            (urls[0], "ok", ""),
            (f"{urls[1]}::x.jpg", "ok", ""),
            (urls[2], "unreadable", "no such file or directory"),
        ]
        seen = len(site.requests)
        capfd.readouterr()
        assert here(*command, "--offline") == 2
        refusal = f"fiqa: offline, by --offline or FIQA_OFFLINE: {urls[0]} was not opened\n"
        assert capfd.readouterr().err == refusal
        with monkeypatch.context() as offline:
            offline.setenv("FIQA_OFFLINE", "1")
            assert here(*command) == 2
        assert len(site.requests) == seen
        copy = ("filter", "rows.jsonl", "--status", "ok", "-q", "--copy-to", "good")
        assert here(*copy) == 0
        made = {path.name: path.read_bytes() for path in Path("good").glob("**/*.jpg")}
        assert made == {"a.jpg": PHOTOS[0], "x.jpg": PHOTOS[1]}


def test_embeddings_of_members(shards: Path, tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    command = ("embed", shards / "c.rec", shards / "e.parquet", "--aligned", "-q", "-o")
    assert here(*command, tmp_path / "a.npz") == 0
    assert len(np.load(tmp_path / "a.npz")["path"]) == 9


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.5s", 500), ("40ms", 40), ("2", 2000), (0.25, 250), ("1.5 s", 1500), (".1s", 100)],
)
def test_times(text: str | float, expected: int) -> None:
    assert milliseconds(text) == expected


@pytest.mark.parametrize("text", ["", "0", "x", "-1s", "1h", "0.1ms", "1e3"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(FiqaError, match="give one such as"):
        milliseconds(text)


def test_a_journal_in_the_folder_is_not_taken_for_a_shard(shards: Path, tmp_path: Path) -> None:
    """Nor the report itself, which lies there as Parquet while the folder is listed."""
    os.link(shards / "a.tar", tmp_path / "a.tar")
    output = tmp_path / "z.parquet"
    assert score(tmp_path, output) == 1
    first = output.read_bytes()
    assert score(tmp_path, output) == 1
    assert_same_rows(output, output)
    assert output.read_bytes()[:4] == first[:4] == b"PAR1"
    assert score(tmp_path, tmp_path / "b.jsonl") == 1
    assert {row["path"].partition("::")[0] for row in rows(tmp_path / "b.jsonl")} == {
        f"{tmp_path}/a.tar"
    }
