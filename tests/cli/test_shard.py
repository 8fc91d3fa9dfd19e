"""`--shard` and `fiqa merge`: parts of a run, and the whole again."""

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.command import fiqa
from cli.interruption import FORMATS, assert_same_rows, here, noise, score
from fiqa_cli.records.embedding_journal import embedding_records
from fiqa_cli.sources import listing

COUNT = 3


@pytest.fixture(scope="module")
def parts(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all shards in each format."""
    folder = tmp_path_factory.mktemp("parts")
    for format in FORMATS:
        for number in range(1, COUNT + 1):
            output = folder / f"{{shard}}.{format}"
            code = score(photos, output, "--shard", f"{number}/{COUNT}", "--details")
            assert code in (0, 1)
    return folder


@pytest.fixture(scope="module")
def entire(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a run over all images gives in each format."""
    folder = tmp_path_factory.mktemp("entire")
    for format in FORMATS:
        assert score(photos, folder / f"a.{format}", "--details") == 1
    return folder


def files(parts: Path, format: str) -> list[Path]:
    found = [parts / f"{number}-of-{COUNT}.{format}" for number in range(1, COUNT + 1)]
    assert all(path.is_file() for path in found)
    return found


def manifest_of(output: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(
        output.with_name(f"{output.name}.manifest.json").read_bytes()
    )
    return values


def change(output: Path, **values: Any) -> None:
    path = output.with_name(f"{output.name}.manifest.json")
    path.write_text(json.dumps(manifest_of(output) | values))


@pytest.mark.parametrize("format", FORMATS)
def test_merged_shards_are_the_whole_run(
    parts: Path, entire: Path, tmp_path: Path, format: str
) -> None:
    output = tmp_path / f"a.{format}"
    assert here("merge", *reversed(files(parts, format)), "-o", output) == 0
    assert_same_rows(output, entire / output.name)
    found, wanted = manifest_of(output), manifest_of(entire / output.name)
    for name in ("command", "started", "ended"):
        del found[name], wanted[name]
    if format == "parquet":  # not as compressed
        del found["size"], wanted["size"]
    assert found == wanted
    assert len(list(tmp_path.iterdir())) == 2


def test_merged_shards_can_be_resumed_as_the_whole_run(
    photos: Path, parts: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "a.csv"
    assert here("merge", *files(parts, "csv"), "-o", output) == 0
    assert score(photos, output, "--details", "--resume") == 1
    assert "is complete: nothing to do" in capfd.readouterr().err


def test_rows_go_to_standard_output_and_into_other_formats(parts: Path, entire: Path) -> None:
    run = fiqa("merge", *map(str, files(parts, "parquet")), "--format", "csv")
    assert run.returncode == 0
    assert run.stdout == (entire / "a.csv").read_bytes()
    assert run.stderr == b"merged 39 rows of 3 shards\n"


def test_archives_are_not_divided(planted: None, tmp_path: Path) -> None:
    """One holds no image, and one breaks off."""
    images = tmp_path / "images"
    images.mkdir()
    for number in range(9):
        noise(str(images / f"{number}.png"), number, faces=number % 3, size=(120, 130))
    for name, numbers in (("a", range(3)), ("b", ()), ("c", range(3, 6)), ("d", range(6, 8))):
        with tarfile.open(images / f"{name}.tar", "w") as archive:
            for number in numbers:
                archive.add(images / f"{number}.png", f"{number}.png")
    broken = images / "c.tar"
    broken.write_bytes(broken.read_bytes()[:-15000])
    assert score(images, tmp_path / "whole.csv") == 1
    for number in (1, 2, 3):
        score(images, tmp_path / "{shard}.csv", "--shard", f"{number}/3")
    shards = [tmp_path / f"{number}-of-3.csv" for number in (1, 2, 3)]
    assert here("merge", *shards, "-o", tmp_path / "merged.csv") == 0
    assert (tmp_path / "merged.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    for name in ("a", "d"):
        assert sum(f"{name}.tar::" in shard.read_text() for shard in shards) == 1
    assert b"truncated tar" in (tmp_path / "merged.csv").read_bytes()


def test_rows_that_came_as_they_finished_need_no_order(photos: Path, tmp_path: Path) -> None:
    shards = [tmp_path / f"{number}-of-2.csv" for number in (1, 2)]
    for number in (1, 2):
        score(photos, tmp_path / "{shard}.csv", "--shard", f"{number}/2", "--unordered")
    assert here("merge", *shards, "-o", tmp_path / "merged.csv") == 0
    header, *rows = (tmp_path / "merged.csv").read_bytes().splitlines(keepends=True)
    parts = [shard.read_bytes().splitlines(keepends=True) for shard in shards]
    assert all(part[0] == header for part in parts)
    assert rows == parts[0][1:] + parts[1][1:]


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_merged_embeddings_are_those_of_the_whole_run(
    photos: Path, tmp_path: Path, suffix: str
) -> None:
    command = ("embed", photos, "--batch-size", "64", "-q")
    expected = tmp_path / f"whole.{suffix}"
    assert here(*command, "-o", expected) == 1
    outputs = [tmp_path / f"e-{number}-of-2.{suffix}" for number in (1, 2)]
    for number in (1, 2):
        here(*command, "-o", tmp_path / f"e-{{shard}}.{suffix}", "--shard", f"{number}/2")
    output = tmp_path / f"merged.{suffix}"
    assert here("merge", *outputs, "-o", output) == 0
    found, wanted = (
        [record for records in embedding_records(path) for record in records]
        for path in (output, expected)
    )
    vectors = [[record.pop("embedding") for record in records] for records in (found, wanted)]
    assert found == wanted
    for one, other in zip(*vectors, strict=True):
        assert (one is None) == (other is None)
    if suffix == "npz":
        with np.load(output) as one, np.load(expected) as other:
            np.testing.assert_allclose(one["embedding"], other["embedding"], atol=1e-5)
            assert one["recogniser"] == other["recogniser"]
            assert one["sha256"] == other["sha256"]


def test_a_shard_that_is_done_is_skipped_at_once(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    pattern = tmp_path / "{shard}.csv"
    codes = [score(photos, pattern, "--shard", f"{n}/3") for n in (1, 2, 3)]
    assert sorted(codes) == [0, 1, 1]  # two images cannot be read
    monkeypatch.setattr(listing, "_expand", lambda *arguments: iter(lambda: 1 / 0, None))
    capfd.readouterr()
    assert [score(photos, pattern, "--shard", f"{n}/3", "--resume") for n in (1, 2, 3)] == codes
    assert capfd.readouterr().err.count("is done: nothing to do") == 3


@pytest.mark.parametrize("format", FORMATS)
def test_a_shard_that_was_torn_goes_on(
    photos: Path, parts: Path, tmp_path: Path, format: str
) -> None:
    expected = files(parts, format)[1]
    output = tmp_path / expected.name
    manifest = manifest_of(expected) | {"ended": None, "size": None}
    (tmp_path / f"{output.name}.manifest.json").write_text(json.dumps(manifest))
    journal, lines = output, expected
    if format == "parquet":
        journal, lines = tmp_path / f".{output.name}.rows", files(parts, "jsonl")[1]
    journal.write_bytes(lines.read_bytes()[:1500])
    pattern = tmp_path / f"{{shard}}.{format}"
    assert score(photos, pattern, "--details", "--shard", "2/3", "--resume") in (0, 1)
    assert_same_rows(output, expected)
    assert manifest_of(output)["size"] == output.stat().st_size


def test_a_shard_that_lost_bytes_after_its_end_is_not_done(
    photos: Path, parts: Path, tmp_path: Path
) -> None:
    expected = files(parts, "csv")[0]
    output = tmp_path / expected.name
    output.write_bytes(expected.read_bytes()[:-40])
    (tmp_path / f"{output.name}.manifest.json").write_text(json.dumps(manifest_of(expected)))
    score(photos, tmp_path / "{shard}.csv", "--details", "--shard", "1/3", "--resume")
    assert_same_rows(output, expected)


def test_one_shard_is_not_resumed_as_another(
    photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "a.csv"
    score(photos, output, "--shard", "1/3")
    before = output.read_bytes()
    assert score(photos, output, "--shard", "2/3", "--resume") == 2
    assert "was begun with shard 1/3, not 2/3" in capfd.readouterr().err
    assert score(photos, output, "--resume") == 2
    assert "was begun with shard 1/3, not None" in capfd.readouterr().err
    assert output.read_bytes() == before


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda paths: paths.pop(), "of 3 shards 1 are missing: 3"),
        (lambda paths: paths.append(paths[0]), "are both shard 1 of 3"),
        (lambda paths: change(paths[1], ended=None), "2-of-3.csv is not done"),
        (lambda paths: paths[1].write_text("path\n"), "2-of-3.csv is not done"),
        (lambda paths: change(paths[1], options={}), "2-of-3.csv is no shard"),
        (lambda paths: change(paths[1], seed=4), "2-of-3.csv was made with seed 4, not None"),
        (
            lambda paths: change(paths[1], model={"name": "sharpness", "sha256": "00"}),
            "2-of-3.csv was made with model sha256 00, not",
        ),
        (
            lambda paths: change(
                paths[1], options=manifest_of(paths[1])["options"] | {"shard": "2/4"}
            ),
            "shards of 3 and of 4",
        ),
        (lambda paths: (paths[1].parent / f"{paths[1].name}.manifest.json").unlink(), "has no"),
    ],
)
def test_what_is_no_whole_run_is_refused_in_one_line(
    photos: Path,
    parts: Path,
    tmp_path: Path,
    spoil: Any,
    told: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    paths = []
    for path in files(parts, "csv"):
        copy = tmp_path / path.name
        copy.write_bytes(path.read_bytes())
        (tmp_path / f"{path.name}.manifest.json").write_text(json.dumps(manifest_of(path)))
        paths.append(copy)
    spoil(paths)
    output = tmp_path / "merged.csv"
    assert here("merge", *paths, "-o", output) == 2
    error = capfd.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not output.exists()


def test_shards_of_different_lists_leave_the_output_as_it_was(
    planted: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    crops = tmp_path / "crops"
    crops.mkdir()
    for number in range(5):
        noise(str(crops / f"{number}.png"), number)
    score(crops, tmp_path / "{shard}.csv", "--shard", "1/2")
    for number in range(5, 9):
        noise(str(crops / f"{number}.png"), number)
    score(crops, tmp_path / "{shard}.csv", "--shard", "2/2")
    output = tmp_path / "merged.csv"
    output.write_text("mine\n")
    shards = [tmp_path / f"{number}-of-2.csv" for number in (1, 2)]
    assert here("merge", *shards, "-o", output) == 2
    assert "different lists of images" in capfd.readouterr().err
    assert output.read_text() == "mine\n"
    assert not list(tmp_path.glob(".*"))


def test_an_output_that_is_named_after_a_shard_needs_one(
    photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert score(photos, tmp_path / "{shard}.csv") == 2
    assert "say which one, with --shard 1/16" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []
