"""`fiqa report` from a report to a page."""

import json

import pytest

from cli.command import shell
from fiqa_cli.cli.main import main
from fiqa_cli.records.row import Row
from fiqa_cli.records.writers import open_writer


@pytest.fixture
def run(monkeypatch, capsysbinary):
    """Runs the command in this process: its exit code, stdout and stderr."""

    def report(*arguments):
        monkeypatch.setattr("sys.argv", ["fiqa", "report", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, *capsysbinary.readouterr()

    return report


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for model in ("m", "n"):
        with open_writer(tmp_path / f"{model}.csv", "csv") as writer:
            writer.write(
                Row(f"a/{i}.jpg", 0, quality=(i * 7 % 10) / 8, model=model) for i in range(10)
            )
    with open_writer(tmp_path / "both.jsonl", "jsonl") as writer:
        writer.write(
            Row(f"a/{i}.jpg", 0, quality=(i + 1) / 8, model=m) for m in "mn" for i in range(10)
        )
    return tmp_path


def test_a_page_with_its_manifest(folder, run):
    code, output, complaints = run("m.csv", "-o", "page.html")
    assert (code, output) == (0, b"")
    assert b"fiqa: no picture of 11 of 11 faces: no such file or directory\n" in complaints
    assert b"10 faces in page.html (0.0 MB)\n" in complaints
    assert (folder / "page.html").read_text("utf-8").startswith("<!doctype html>\n")
    manifest = json.loads((folder / "page.html.manifest.json").read_text())
    assert manifest["counts"] == {"faces": 10, "pictures": 11}


def test_it_works_in_a_pipe(folder):
    done = shell("fiqa filter m.csv --min 0.5 -q | fiqa report -q --faces 0 > page.html", folder)
    assert done.returncode == 0
    assert done.stderr == b""
    page = (folder / "page.html").read_text("utf-8")
    assert "fiqa filter REPORT --min" in page
    assert page.endswith("</html>")


def test_two_models_of_two_files_or_of_one(folder, run):
    assert "Two models" in run("m.csv", "n.csv")[1].decode()
    page = run("both.jsonl", "both.jsonl", "-m", "n", "-m", "m")[1].decode()
    assert "<strong>n</strong> and <strong>m</strong>" in page
    assert b"Two models" not in run("both.jsonl", "-m", "n")[1]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["both.jsonl"], b"choose one with --model"),
        (["m.csv", "n.csv", "m.csv"], b"leave out the others"),
        (["m.csv", "-m", "m", "-m", "n"], b"once for each report"),
        (["m.csv", "-o", "m.csv"], b"is the input too"),
        (["m.csv", "-o", "none/page.html"], b"cannot write none/page.html"),
        (["m.csv", "--min", "7"], b"no quality is 7 or more"),
        (["-", "-"], b"standard input holds one report"),
        (["none.csv"], b"cannot read none.csv"),
        (["m.csv", "--faces", "-1"], b"--faces"),
    ],
)
def test_usage_errors_are_one_line_and_write_nothing(folder, run, arguments, complaint):
    before = sorted(folder.iterdir())
    code, output, complaints = run(*arguments)
    assert (code, output) == (2, b"")
    last = complaints.splitlines()[-1]
    assert last.startswith(b"fiqa: ") and complaint in last
    assert sorted(folder.iterdir()) == before
