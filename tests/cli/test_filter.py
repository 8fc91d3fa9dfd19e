import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fiqa_cli.cli.main import main
from fiqa_cli.records.readers import read_rows
from fiqa_cli.records.row import Row
from fiqa_cli.records.writers import open_writer

ROOT = Path(__file__).parents[2]
FIQA = [sys.executable, "-c", "from fiqa_cli.cli.main import main; main()"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

ROWS = [
    Row("p/ann/1.jpg", 0, quality=0.9),
    Row("p/ann/1.jpg", 1, quality=0.8),
    Row("p/ann/-2 \udce9\n.jpg", 0, quality=0.4),
    Row("p/bob/cat.jpg", status="no-face"),
    Row("p/bob/1.jpg", 0, quality=0.6, error="=1+1"),
]


def fiqa(*arguments, input=b"", cwd=None):
    return subprocess.run(
        [*FIQA, "filter", *map(str, arguments)],
        input=input,
        capture_output=True,
        cwd=cwd,
        env=ENVIRONMENT,
        timeout=60,
    )


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.csv"
    with open_writer(path, "csv") as writer:
        writer.write(ROWS)
    return path


def test_rows_from_a_pipe_come_out_byte_for_byte(report):
    done = fiqa("--min", "0.6", "--max", "0.8", input=report.read_bytes())
    lines = report.read_bytes().splitlines(keepends=True)
    assert done.returncode == 0
    assert done.stdout == lines[0] + lines[2] + lines[-1]
    assert done.stderr == b"kept 2 of 5 rows\n"


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_of_several_models_one_is_chosen(tmp_path, format):
    report = tmp_path / f"both.{format}"
    with open_writer(report, format) as writer:
        writer.write(replace(row, model=name) for row in ROWS for name in ("m", 'n, "2"'))
    mixed = fiqa(report, "--keep", "0.5")
    assert mixed.returncode == 2
    assert b'qualities of m, n, "2", which do not compare: choose one with --model' in mixed.stderr
    done = fiqa(report, "--keep", "0.5", "--model", 'n, "2"', "-f", "jsonl", "-q")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["quality"], row["model"]) for row in found] == [(0.9, 'n, "2"'), (0.8, 'n, "2"')]


def test_invert_gives_exactly_the_other_rows_and_quiet_says_nothing(report):
    done = fiqa(report, "--top", "2", "--invert", "-f", "jsonl", "-q")
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == [
        row.path for row in ROWS[2:]
    ]
    assert done.stderr == b""


def test_two_passes_work_on_a_pipe_too(report):
    done = fiqa("--per-folder", "1", "--paths", input=report.read_bytes())
    assert done.stdout == b"p/ann/1.jpg\np/bob/1.jpg\n"


def test_paths_are_raw_bytes_once_each(report):
    done = fiqa(report, "-0")
    assert done.stdout.split(b"\0") == [
        b"p/ann/1.jpg",
        b"p/ann/-2 \xe9\n.jpg",
        b"p/bob/cat.jpg",
        b"p/bob/1.jpg",
        b"",
    ]


def test_without_criteria_a_report_is_converted_with_a_manifest(report, tmp_path):
    output = tmp_path / "report.parquet"
    assert fiqa(report, "-o", output, "--status", "ok,no-face").returncode == 0
    assert pq.read_table(output).num_rows == 5
    assert list(read_rows(output)) == list(read_rows(report))
    manifest = json.loads((tmp_path / "report.parquet.manifest.json").read_text())
    assert manifest["counts"] == {"read": 5, "kept": 5}
    assert manifest["options"]["statuses"] == ["ok", "no-face"]
    again = fiqa("-", "-f", "csv", input=output.read_bytes())
    assert again.stdout == report.read_bytes()


def test_images_are_copied_once_and_failures_end_with_exit_1(report, tmp_path):
    for name in ("p/ann/1.jpg", "p/bob/cat.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(name)
    done = fiqa(report, "--min", "0.6", "--copy-to", "good", cwd=tmp_path)
    assert done.returncode == 1
    assert b"cannot copy p/bob/1.jpg: no such file" in done.stderr
    assert b"copy: 1 images" in done.stderr
    assert [path.name for path in (tmp_path / "good").rglob("*.jpg")] == ["1.jpg"]
    assert done.stdout.count(b"\n") == 4  # the rows go on down the pipe

    done = fiqa(report, "--status", "no-face", "--move-to", "bad", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0
    assert b"would move p/bob/cat.jpg to " in done.stderr
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--keep", "0"], "--keep takes a fraction"),
        (["--status", "good"], "no status good"),
        (["--format", "xml"], "unknown format 'xml'"),
        (["--paths", "--format", "csv"], "leave out"),
        (["--dry-run"], "--dry-run goes with"),
        (["--copy-to", "a", "--move-to", "b"], "choose one"),
        (["-o", "report.csv"], "is the input too"),
        (["-o", "none/out.csv"], "cannot write none/out.csv"),
        (["--top", "0"], "'--top'"),
    ],
)
def test_usage_errors_end_with_exit_2_and_harm_nothing(
    report, arguments, complaint, monkeypatch, capsysbinary
):
    before = report.read_bytes()
    monkeypatch.chdir(report.parent)
    monkeypatch.setattr("sys.argv", ["fiqa", "filter", "report.csv", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    output, complaints = capsysbinary.readouterr()
    assert complaint in complaints.decode()
    assert output == b""
    assert report.read_bytes() == before


@pytest.mark.parametrize("criterion", [("--min", "0.5"), ("--top", "1")])
def test_a_missing_column_is_named_before_an_output_is_touched(tmp_path, criterion):
    output = tmp_path / "kept.csv"
    output.write_text("mine")
    for further in ((), ("-o", str(output))):
        done = fiqa(*criterion, *further, input=b"path,score\na,0.5\n")
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"standard input has no column quality" in done.stderr
        assert done.stderr.count(b"\n") == 1
    assert output.read_text() == "mine"
    assert not output.with_name("kept.csv.manifest.json").exists()


def test_paths_need_no_other_column():
    assert fiqa("--paths", input=b"path\na\n").stdout == b"a\n"


@pytest.mark.parametrize("format", ["csv", "json", "jsonl", "parquet"])
def test_a_reader_that_leaves_ends_it_quietly(tmp_path, format):
    path = tmp_path / "report"
    with open_writer(path, format) as writer:
        writer.write(Row(f"photos/{i}.jpg", 0, quality=0.5) for i in range(20_000))
    process = subprocess.Popen(
        [*FIQA, "filter", str(path), "--min", "0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    process.stdout.read(3)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 0


@pytest.mark.parametrize("format", ["csv", "json", "jsonl"])
def test_rows_pass_on_before_the_input_ends(tmp_path, format):
    path = tmp_path / "report"
    with open_writer(path, format) as writer:
        writer.write([Row("a.jpg", 0, quality=0.7)])
    head = path.read_bytes().removesuffix(b"\n]\n")
    process = subprocess.Popen(
        [*FIQA, "filter", "--min", "0.1", "--paths"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    process.stdin.write(head)
    process.stdin.flush()
    assert process.stdout.readline() == b"a.jpg\n"
    process.communicate(b"\n]\n" if format == "json" else b"")
    assert process.returncode == 0
