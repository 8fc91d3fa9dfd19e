"""`fiqa score` as a user runs it, with the built-in models on pictures of the dependencies."""

import csv
import hashlib
import io
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cli.command import FIQA, fiqa, shell
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.records.row import COLUMNS
from fiqa_cli.samples import write_samples


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    for _ in write_samples(folder):
        pass
    return folder


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images of the size of crops, under names that make trouble."""
    folder = tmp_path_factory.mktemp("crops")
    rng = np.random.default_rng(0)
    names = [b"-dash.png", b"a b.png", b"line\nfeed.png", b"latin\xe9.png", b"=1+1.png", b'q"q.png']
    names += [b"%d.png" % number for number in range(6)]
    for name in names:
        image = rng.integers(0, 256, (14, 14, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        Image.fromarray(image).save(os.fsdecode(os.path.join(os.fsencode(folder), name)))
    return folder


def rows(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode("utf-8", "surrogateescape"), newline="")))


def test_a_first_run_tells_the_truth(samples: Path) -> None:
    """All faces of the group and none in the cat; worse and worse copies score lower and lower."""
    done = fiqa("score", str(samples))
    assert done.returncode == 0, done.stderr
    found = defaultdict(list)
    for row in rows(done.stdout):
        found[Path(row["path"]).stem].append(row)
    assert [row["status"] for row in found["group"]] == ["ok"] * 6
    assert [row["status"] for row in found["cat"]] == ["no-face"]
    inversions = 0
    for photo, faces in (("group", 6), ("astronaut", 1)):
        for kind in ("blurred", "small", "noisy", "dark"):
            series = [photo, *(f"{photo}-{kind}-{grade}" for grade in range(1, 5))]
            # In the darkest copies not even people see all six.
            assert all(faces / 2 <= len(found[name]) <= faces + 1 for name in series), kind
            quality = [
                statistics.fmean(float(row["quality"]) for row in found[name]) for name in series
            ]
            inversions += sum(b >= a for a, b in itertools.pairwise(quality))
    assert inversions <= 1


def test_formats_agree_and_leave_a_manifest(samples: Path, tmp_path: Path) -> None:
    photo = str(samples / "group.jpg")
    table = rows(fiqa("score", photo, "-q").stdout)
    assert tuple(table[0]) == COLUMNS
    for name in ("a.csv", "a.json", "a.jsonl", "a.parquet"):
        assert fiqa("score", photo, "-q", "-o", name, cwd=tmp_path).returncode == 0
        back = fiqa("filter", name, "--format", "csv", "-q", cwd=tmp_path)
        assert rows(back.stdout) == table, name
        manifest = json.loads((tmp_path / f"{name}.manifest.json").read_text())
        assert manifest["model"]["name"] == "ediffiqa-n"
        assert len(manifest["model"]["sha256"]) == len(manifest["detector"]["sha256"]) == 64
        assert manifest["counts"] == {"ok": 6}
        assert manifest["precision"] in ("fp32", "bf16")
        assert manifest["ended"] >= manifest["started"]


def test_details_add_landmarks(samples: Path) -> None:
    row = rows(fiqa("score", str(samples / "astronaut.jpg"), "--details").stdout)[0]
    assert float(row["eye_left_x"]) < float(row["eye_right_x"])
    assert float(row["eye_left_y"]) < float(row["nose_y"]) < float(row["mouth_left_y"])
    assert float(row["inter_eye"]) == pytest.approx(
        np.hypot(
            float(row["eye_right_x"]) - float(row["eye_left_x"]),
            float(row["eye_right_y"]) - float(row["eye_left_y"]),
        ),
        abs=0.05,
    )


def test_one_face_of_each_image_on_request(samples: Path) -> None:
    done = fiqa("score", str(samples / "group.jpg"), "--faces", "largest", "--min-face", "9999")
    (row,) = rows(done.stdout)
    assert row["status"] == "too-small"
    assert done.returncode == 0


def test_pipes(crops: Path) -> None:
    """The README's pipeline ends quietly, and strange names come through unharmed."""
    score = "find . -name '*.png' -print0 | fiqa score --aligned -0 - 2>/dev/null"
    done = shell(f"{score} | fiqa filter --min=-99 --paths 2>/dev/null | head -n 3", crops)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 3
    done = shell(f"{score} | fiqa filter --min=-99 --paths -0 -q", crops)
    assert done.returncode == 0
    names = sorted(os.path.join(b".", name) for name in os.listdir(os.fsencode(crops)))
    assert sorted(done.stdout.split(b"\0")[:-1]) == names


def test_unordered_rows_are_the_same(crops: Path) -> None:
    done = [
        fiqa("score", str(crops), "--aligned", "-q", "-m", "sharpness", *more).stdout
        for more in ((), ("--unordered",))
    ]
    ordered, unordered = (sorted(row["path"] + row["quality"] for row in rows(d)) for d in done)
    assert len(ordered) == 12
    assert unordered == ordered


def test_a_reader_that_leaves_early_is_no_error(crops: Path) -> None:
    line = "yes 0.png | fiqa score --aligned -q - 2>errors | head -n 2; echo ${PIPESTATUS[1]}"
    done = shell(line, crops)
    assert done.stdout.splitlines()[-1] == b"0"
    assert len(done.stdout.splitlines()) == 3
    errors = crops / "errors"
    assert b"Error" not in errors.read_bytes()
    errors.unlink()


def test_names_that_start_with_a_dash(crops: Path) -> None:
    done = fiqa("score", "--aligned", "-q", "--", "-dash.png", "=1+1.png", cwd=crops)
    assert done.returncode == 0
    # A spreadsheet would run these cells; the apostrophe goes when fiqa reads them.
    assert [row["path"] for row in rows(done.stdout)] == ["'-dash.png", "'=1+1.png"]
    done = fiqa("filter", "--paths", "-q", stdin=done.stdout)
    assert done.stdout == b"-dash.png\n=1+1.png\n"


def test_bad_input_costs_one_row_each(samples: Path, tmp_path: Path) -> None:
    for number in range(10):
        shutil.copy(samples / "astronaut.jpg", tmp_path / f"good{number}.jpg")
    data = (samples / "astronaut.jpg").read_bytes()
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "truncated.jpg").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.jpg").write_text("no image at all\n")
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    Image.new("1", (30_000, 30_000)).save(tmp_path / "bomb.png")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "broken.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop").symlink_to(".")
    unreadable = tmp_path / "unreadable.jpg"
    unreadable.write_bytes(data)
    unreadable.chmod(0)
    done = fiqa("score", str(tmp_path), str(tmp_path / "missing.jpg"))
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    found = {Path(row["path"]).name: row for row in rows(done.stdout)}
    assert len(found) == len(rows(done.stdout)) == 20
    assert all(found[f"good{number}.jpg"]["status"] == "ok" for number in range(10))
    for name, status, reason in (
        ("empty.jpg", "unreadable", "empty"),
        ("truncated.jpg", "unreadable", "truncated"),
        ("text.jpg", "unreadable", "not an image"),
        ("dot.png", "too-small", "1x1"),
        ("bomb.png", "unreadable", "bomb"),
        ("folder.jpg", "unreadable", "directory"),
        ("broken.jpg", "unreadable", "broken symbolic link"),
        ("loop", "unreadable", "symbolic link"),
        ("missing.jpg", "unreadable", "no such file"),
    ):
        assert found[name]["status"] == status, name
        assert reason in found[name]["error"], name
        assert found[name]["quality"] == ""
    if os.geteuid() != 0:  # nothing is unreadable to root
        assert found["unreadable.jpg"]["error"] == "permission denied"


def test_unaligned_images_are_warned_of_once(samples: Path) -> None:
    done = fiqa("score", "--aligned", "-q", str(samples / "cat.jpg"), str(samples / "group.jpg"))
    assert done.returncode == 0
    assert done.stderr.count(b"--aligned expects 112x112 crops") == 1


def test_aligned_needs_neither_insightface_nor_onnxruntime(crops: Path, tmp_path: Path) -> None:
    for package in ("insightface", "onnxruntime", "onnx"):
        (tmp_path / f"{package}.py").write_text("raise ImportError('not installed')\n")
    done = fiqa("score", "--aligned", str(crops), PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    done = fiqa("score", str(crops), PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert b"pip install insightface" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], b"nothing to score"),
        (["x.jpg", "--model", "ediffiqa-m"], b"fiqa models pull ediffiqa-m"),
        (["x.jpg", "--model", "ediffiqa-q"], b"did you mean ediffiqa-"),
        (["x.jpg", "--model", "scrfd-n"], b"scrfd-n is a detector"),
        (["x.jpg", "--detector", "ediffiqa-n"], b"ediffiqa-n is no detector"),
        (["x.jpg", "--detector", "buffalo_l"], b"fiqa models pull buffalo_l"),
        (["x.jpg", "--det-size", "100"], b"multiple of 32"),
        (["x.jpg", "--device", "cuda:77"], b"--device auto"),
        (["x.jpg", "--faces", "ugliest"], b"ugliest"),
        (["@nowhere.txt"], b"nowhere.txt"),
        (["x.jpg", "-o", "no/such/folder/a.csv"], b"cannot write"),
    ],
)
def test_mistakes_are_one_line_with_exit_code_2(
    arguments: list[str], message: bytes, tmp_path: Path
) -> None:
    done = fiqa("score", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith(b"fiqa: ")
    assert done.stderr.count(b"\n") == 1
    assert done.stdout == b""


def test_an_interrupted_run_keeps_its_rows(crops: Path, tmp_path: Path) -> None:
    """Ctrl-C while standard input is still open: rows are kept, exit code 130."""
    report = tmp_path / "a.csv"
    command = [FIQA, "score", "--aligned", "-q", "-", "-o", str(report)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        cwd=crops,
        # Whatever runs in the background of a script is born deaf to Ctrl-C, tests too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as run:
        assert run.stdin is not None
        assert run.stderr is not None
        run.stdin.write(b"0.png\n")
        run.stdin.flush()
        deadline = time.monotonic() + 60
        while not (report.exists() and len(rows(report.read_bytes())) == 1):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130
        assert b"Traceback" not in run.stderr.read()
    manifest = json.loads((tmp_path / "a.csv.manifest.json").read_text())
    assert manifest["counts"] == {"ok": 1}
    assert manifest["ended"] is None


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recogniser that has learnt nothing, as a user's own weights file."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("recogniser") / "own.pth"
    torch.save(MobileFaceNet(features=16).state_dict(), file)
    return file


def test_faceqan_over_a_recogniser_of_the_user(
    crops: Path, recogniser: Path, tmp_path: Path
) -> None:
    method = ("-m", "faceqan", "--recogniser", str(recogniser), "--copies", "2", "--seed", "3")
    done = fiqa("score", str(crops), "--aligned", "--details", *method, "-o", "a.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table = rows((tmp_path / "a.csv").read_bytes())
    assert len(table) == 12
    for row in table:
        mean, deviation, symmetry = (
            float(row[name]) for name in ("adversarial_mean", "adversarial_deviation", "symmetry")
        )
        expected = ((1 + mean) / 2 * (1 - deviation) * symmetry) ** 5
        assert float(row["quality"]) == pytest.approx(expected, rel=1e-4)
        assert row["model"] == "faceqan@own.pth"
    manifest = json.loads((tmp_path / "a.csv.manifest.json").read_text())
    assert manifest["seed"] == 3
    assert manifest["recogniser"] == {
        "name": str(recogniser),
        "sha256": hashlib.sha256(recogniser.read_bytes()).hexdigest(),
    }
    again = fiqa("score", str(crops), "--aligned", "-q", *method, "--batch-size", "3")
    for one, other in zip(rows(again.stdout), table, strict=True):
        assert float(one["quality"]) == pytest.approx(float(other["quality"]), abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--copies", "3"), b"ediffiqa-n has no --copies: it is for diffiqa and faceqan"),
        (("-m", "faceqan", "--until-se", "1"), b"faceqan has no --until-se: it is for diffiqa"),
        (("-m", "faceqan"), b"fiqa models import FILE --as cosface-r100"),
        (("-m", "diffiqa"), b"fiqa models import FILE --as diffiqa"),
        (("-m", "faceqan", "--recogniser", "no.pth"), b"there is no model file no.pth"),
        (("-m", "faceqan", "--recogniser", "scrfd-n"), b"scrfd-n is a detector"),
    ],
)
def test_settings_that_do_not_fit_are_refused_in_one_line(
    crops: Path, arguments: tuple[str, ...], told: bytes
) -> None:
    done = fiqa("score", str(crops), "--aligned", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert told in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_compile_without_a_compiler_is_one_clear_line(crops: Path, tmp_path: Path) -> None:
    nowhere = {"CXX": "/nonexistent", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = fiqa("score", str(crops), "--aligned", "-q", "--compile", **nowhere)
    assert done.returncode == 2
    assert b"it needs a working C++ compiler: install one (g++) or leave out" in done.stderr
    assert done.stderr.count(b"\n") == 1
