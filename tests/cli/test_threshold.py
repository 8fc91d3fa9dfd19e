"""`fiqa threshold`: the number that `fiqa filter --min` takes."""

import json

import numpy as np
import pytest

from cli.command import fiqa, shell
from fiqa_cli.cli.main import main
from fiqa_cli.records.row import Row
from fiqa_cli.records.writers import open_writer


def qualities(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0.8, 0.05, count).astype(np.float32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [Row(f"p{i % 9}/{i}.jpg", 0, quality=float(q)) for i, q in enumerate(qualities(1000))]
    rows.append(Row("p9/cat.jpg", status="no-face"))
    for format in ("csv", "json", "jsonl", "parquet"):
        with open_writer(tmp_path / f"scores.{format}", format) as writer:
            writer.write(rows)
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsysbinary):
    def threshold(*arguments):
        monkeypatch.setattr("sys.argv", ["fiqa", "threshold", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        output, complaints = capsysbinary.readouterr()
        return end.value.code, output.decode(), complaints.decode()

    return threshold


@pytest.mark.parametrize("format", ["csv", "json", "jsonl", "parquet"])
def test_filter_keeps_what_threshold_says(folder, format):
    done = shell(
        f"fiqa filter scores.{format} -f csv -q --min "
        f'"$(fiqa threshold --discard 0.137 scores.{format})"',
        folder,
    )
    assert done.returncode == 0
    assert done.stdout.count(b"\n") - 1 == 1000 - 137
    assert (
        b"keeps 863 of 1,000 faces (86.3%), in 863 of 1,000 images and 9 of 9 folders"
        in done.stderr
    )
    assert b"rows without a quality: 1 no-face" in done.stderr


def test_it_reads_a_pipe_and_the_cut_is_alone_on_stdout(folder):
    done = fiqa("threshold", "--discard", "0", stdin=(folder / "scores.jsonl").read_bytes())
    assert done.stdout == f"{min(map(float, map(str, qualities(1000))))!r}\n".encode()


def test_all_that_is_said_as_json(folder, run):
    code, output, complaints = run("scores.csv", "--discard", "0.5", "-f", "json", "-q")
    assert (code, complaints) == (0, "")
    document = json.loads(output)
    assert document["kept"]["faces"] == document["kept"]["images"] == 500
    assert document["statuses"] == {"ok": 1000, "no-face": 1}


def test_the_valley_or_one_line_that_there_is_none(folder, run):
    with open_writer(folder / "two.csv", "csv") as writer:
        writer.write(
            Row(f"{i}.jpg", 0, quality=q)
            for i, q in enumerate(
                [*np.linspace(0.1, 0.2, 100).tolist(), *np.linspace(0.7, 0.9, 300).tolist()]
            )
        )
    code, output, complaints = run("two.csv", "--valley")
    assert (code, float(output)) == (0, pytest.approx(0.7))
    assert "keeps 300 of 400" in complaints
    code, output, complaints = run("scores.csv", "--valley")
    assert (code, output) == (2, "")
    assert complaints.startswith("fiqa: the qualities have one peak and no valley")
    assert complaints.count("\n") == 1


@pytest.fixture
def evaluated(folder):
    """Pairs whose similarity rises with the lesser quality, evaluated for two models."""
    rng = np.random.default_rng(1)
    quality = {name: rng.random(400) for name in ("m", "n")}
    with open_writer(folder / "both.csv", "csv") as writer:
        for name, values in quality.items():
            writer.write(Row(f"{i}.jpg", 0, quality=q, model=name) for i, q in enumerate(values))
    with open_writer(folder / "m.csv", "csv") as writer:
        writer.write(Row(f"{i}.jpg", 0, quality=q, model="m") for i, q in enumerate(quality["m"]))
    lines = ["a,b,mated,similarity"]
    for i in range(0, 400, 2):
        lesser = min(quality["m"][i : i + 2])
        lines.append(f"{i}.jpg,{i + 1}.jpg,1,{lesser + rng.normal(0, 0.1):.6f}")
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n")
    done = fiqa(
        "evaluate", "both.csv", "-c", "pairs.csv", "--threshold", "0.3", "-o", "evaluation.json",
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return quality["m"], lines[1:]


def test_the_cut_for_a_wished_fnmr_gives_it(folder, run, evaluated):
    quality, lines = evaluated
    code, output, complaints = run("m.csv", "--fnmr", "0.02", "--evaluation", "evaluation.json")
    assert code == 0
    cut = float(output)

    def fnmr(cut):
        pairs = [line.split(",") for line in lines]
        similar = [
            float(s)
            for a, b, _, s in pairs
            if min(quality[int(a[:-4])], quality[int(b[:-4])]) >= cut
        ]
        return np.mean(np.array(similar) < 0.3), len(similar)

    error, left = fnmr(cut - 1e-7)  # the report has seven digits
    assert error <= 0.02
    earlier = np.sort([min(quality[i : i + 2]) for i in range(0, 400, 2)])[: 200 - left - 2]
    assert all(fnmr(lower)[0] > 0.02 for lower in earlier)
    assert "of 200 mated pairs discarded" in complaints
    assert f"of {400:,} faces" in complaints
    alone = run("--fnmr", "0.02", "--evaluation", "evaluation.json", "--model", "m")
    assert (alone[0], alone[1]) == (0, output)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["scores.csv"], "choose one of"),
        (["scores.csv", "--valley", "--discard", "0.1"], "choose one of"),
        (["scores.csv", "--discard", "1"], "no fraction"),
        (["scores.csv", "--fnmr", "0.1"], "--fnmr and --evaluation go together"),
        (["both.csv", "--discard", "0.1"], "choose one with --model"),
        (
            ["--fnmr", "0.1", "--evaluation", "evaluation.json"],
            "more than one model: choose of m, n",
        ),
        (["--fnmr", "0.1", "--evaluation", "pairs.csv"], "is no JSON"),
        (["--fnmr", "0.1", "--evaluation", "scores.json"], "is no evaluation with cuts"),
        (["--fnmr", "0.1", "--evaluation", "none.json"], "cannot read none.json"),
    ],
)
def test_usage_errors_are_one_line(folder, evaluated, run, arguments, complaint):
    code, output, complaints = run(*arguments)
    assert (code, output) == (2, "")
    assert complaint in complaints
    assert complaints.count("\n") == 1
