"""`fiqa evaluate` from files to figures."""

import csv
import io
import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cli.command import fiqa
from evaluation.drawn_dataset import dataset
from fiqa_cli.cli.main import main
from fiqa_cli.evaluation import Definition, edc, pauc
from fiqa_cli.records.row import Row
from fiqa_cli.records.writers import open_writer

GOLDEN = Path(__file__).parents[1] / "golden"
FIGURES = json.loads((GOLDEN / "edc.json").read_text())["results"]


def save_embeddings(path, embeddings, lead=""):
    np.savez(
        path,
        path=np.array([lead + name for name in embeddings.paths]),
        face=embeddings.faces,
        embedding=embeddings.vectors,
        recogniser=np.array(embeddings.recogniser),
        sha256=np.array(""),
        missing_path=np.array([], str),
        missing_status=np.array([], str),
        missing_error=np.array([], str),
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Reports of two models and embeddings of two recognisers, where the command runs."""
    monkeypatch.chdir(tmp_path)
    _, recognisers, measures = dataset()
    for name, embeddings in recognisers.items():
        save_embeddings(tmp_path / f"{name}.npz", embeddings, "/data/crops/")
    for measure in measures:
        with open_writer(tmp_path / f"{measure.name}.csv", "csv") as writer:
            rows = zip(measure.paths, measure.quality.tolist(), strict=True)
            writer.write(Row(p, quality=q, model=measure.name) for p, q in rows)
    return tmp_path


REPORTS = ["noise 0.05.csv", "noise 0.3.csv"]
BOTH = ["-e", "first.npz", "-e", "second.npz"]
DRAWN = [*REPORTS, *BOTH, "--by-folder", "--fmr", "0.01"]


@pytest.fixture
def run(monkeypatch, capsysbinary):
    """Runs the command in this process: its exit code, stdout and stderr."""

    def evaluate(*arguments):
        monkeypatch.setattr("sys.argv", ["fiqa", "evaluate", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        output, complaints = capsysbinary.readouterr()
        return end.value.code, output.decode(), complaints.decode()

    return evaluate


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


CASES = {
    "starting error 0.05": ["--starting-error", "0.05"],
    "threshold 0.4": ["--threshold", "0.4"],
    "starting error 0.05, quality rounded to integers": ["--starting-error", "0.05"],
    "FMR at threshold 0.6": ["--error", "fmr", "--threshold", "0.6"],
}


@pytest.mark.parametrize("case", CASES)
def test_golden_figures_from_files(tmp_path, run, case):
    assert set(CASES) == set(FIGURES)
    with np.load(GOLDEN / "edc-example.npz") as data:
        similarity, pairs, names = data["similarity"], data["pairs"], data["names"].tolist()
        quality = np.round(data["quality"]) if "rounded" in case else data["quality"]
    mated = int(not case.startswith("FMR"))
    lines = [f"{a},{b},{mated},{float(s)!r}" for (a, b), s in zip(pairs, similarity, strict=True)]
    (tmp_path / "own.csv").write_text("\n".join(["a,b,mated,similarity", *lines]) + "\n")
    lines = [
        f"{face},{float(value)!r},{name}"
        for name, values in zip(names, quality, strict=True)
        for face, value in enumerate(values)
    ]
    (tmp_path / "scores.csv").write_text("\n".join(["path,quality,model", *lines]) + "\n")
    limits = [word for limit in ("0.05", "0.2", "0.3", "1") for word in ("--limit", limit)]
    code, output, complaints = run(
        tmp_path / "scores.csv", "-c", tmp_path / "own.csv", *CASES[case], *limits
    )
    assert (code, complaints) == (0, "")
    rows = rows_of(output)
    assert len(rows) == len(names) * 4
    for row in rows:
        figures = FIGURES[case][row["measure"]]
        limit = str(float(row["limit"]))
        assert float(row["raw"]) == pytest.approx(figures["pauc"][limit], abs=1e-6)
        assert float(row["error_at_0"]) == pytest.approx(figures["error_at_0"], abs=1e-6)
        best = figures["area_under_theoretical_best"][limit]
        assert float(row["raw"]) - float(row["above_best"]) == pytest.approx(best, abs=1e-6)
        assert int(row["mated"]) + int(row["non_mated"]) == figures["comparisons"]


def test_figures_from_embeddings_are_those_of_the_pairs(folder, run):
    code, output, complaints = run(*DRAWN, "--confidence", "20")
    assert (code, complaints) == (0, "")
    rows = rows_of(output)
    assert [row["recogniser"] for row in rows[::4]] == ["first", "second", "mean"]
    _, recognisers, measures = dataset()
    vectors = recognisers["second"].vectors.astype(float)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    people = np.array([path.split("/")[0] for path in recognisers["second"].paths])
    a, b = np.triu_indices(len(people), 1)
    # All mated pairs are below the limit, and here we leave the limit of the others behind too.
    _, output, _ = run(*DRAWN, "--non-mated-limit", "10000")
    row = rows_of(output)[5]
    assert (row["measure"], row["recogniser"], row["limit"]) == ("noise 0.05", "second", "0.3")
    quality = measures[0].quality.astype(np.float32)[np.column_stack([a, b])]
    curve = edc((unit[a] * unit[b]).sum(1), quality, people[a] == people[b], Definition(fmr=0.01))
    assert float(row["raw"]) == pytest.approx(pauc(curve, [0.3])[0].raw, abs=1e-6)
    assert int(row["non_mated"]) == np.count_nonzero(people[a] != people[b])


def test_formats_and_manifest(folder, run):
    assert run(*DRAWN, "-o", "out.csv", "--seed", "3")[:2] == (0, "")
    manifest = json.loads(Path("out.csv.manifest.json").read_text())
    assert manifest["seed"] == 3
    assert manifest["options"]["fmr"] == 0.01
    assert manifest["options"]["reports"] == REPORTS
    assert manifest["counts"] == {"measures": 2, "recognisers": 2}
    assert Path("out.csv").read_text() == run(*DRAWN, "-f", "csv", "--seed", "3")[1]
    run(*DRAWN, "-o", "out.json", "--at", "0.1")
    assert json.loads(Path("out.json").read_text())["results"][2]["recogniser"] == "mean"
    run(*DRAWN, "-o", "out.txt", "--at", "0.1")
    assert Path("out.txt").read_text() == run(*DRAWN, "-f", "table", "--at", "0.1")[1]
    assert "FNMR at 10%" in Path("out.txt").read_text()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "FNMR at FMR 0.01, threshold fixed, stepwise"),
        (["--linear"], "FNMR at FMR 0.01, threshold fixed, linear"),
        (["--re-estimated"], "threshold re-estimated at each discard"),
        (["--threshold", "0.5"], "FNMR at threshold 0.5"),
        (["--starting-error", "0.1"], "from a starting error of 0.1"),
        (["--error", "fmr"], "FMR at FMR 0.01"),
        (["--missing", "worst"], "faces without quality: worst"),
        (["--area", "above-best"], "less the area of the theoretical best"),
        (["--area", "raw"], "pAUC raw"),
        (["--limit", "0.5"], "pAUC(0.5)"),
        (["--confidence", "7", "--seed", "5"], "95% of 7 resamples of identities, seed 5"),
    ],
)
def test_every_choice_is_named_in_the_output(folder, run, options, text):
    code, output, _ = run(*DRAWN, "-f", "table", *options)
    assert code == 0
    assert text in output


def test_a_list_of_pairs(folder, run):
    Path("pairs.csv").write_text("a,b,mated\n00/0.png,00/1.png,1\n00/0.png,01/1.png,0\n")
    code, output, _ = run(*REPORTS, *BOTH, "--threshold", "0.5", "--pairs", "pairs.csv")
    assert code == 0
    assert {(row["mated"], row["non_mated"]) for row in rows_of(output)[:8]} == {("1", "1")}


def test_pairs_of_labeled_faces_in_the_wild(folder, run):
    _, recognisers, _ = dataset()
    parts = [Path(path) for path in recognisers["first"].paths]
    names = [f"P_{p.parent}/P_{p.parent}_000{int(p.stem) + 1}.png" for p in parts]
    save_embeddings(folder / "lfw.npz", replace(recognisers["first"], paths=names), "lfw/")
    rows = zip(names, range(len(names)), strict=True)
    Path("q.csv").write_text("path,quality\n" + "".join(f"{p},{q}\n" for p, q in rows))
    Path("pairs.txt").write_text("1 2\nP_00 1 2\nP_01 1 2\nP_00 1 P_01 1\nP_00 1 P_02 6\n")
    arguments = ["q.csv", "-e", "lfw.npz", "--pairs", "pairs.txt", "--threshold", "0.5"]
    code, output, complaints = run(*arguments, "--extension", ".png")
    assert (code, complaints) == (0, "")
    assert (rows_of(output)[0]["mated"], rows_of(output)[0]["non_mated"]) == ("2", "2")
    code, output, complaints = run(*arguments)
    assert (code, output) == (2, "")
    assert "none of the 5 images of the pairs, such as P_00/P_00_0001.jpg" in complaints


@pytest.mark.parametrize("how", ["mean", "best"])
def test_pairs_of_templates(folder, run, how):
    Path("media.txt").write_text(
        "00/0.png 7 1\n00/1.png 7 2\n00/2.png 8 3\n01/0.png 9 4\nxx/0.png 9 5\n"
    )
    Path("label.txt").write_text("7 8 1\n7 9 0\n")
    options = ["--templates", "media.txt", "--pairs", "label.txt", "--template-quality", how]
    options += ["--threshold", "0.5", "--limit", "1"]
    code, output, complaints = run(REPORTS[0], *BOTH, *options)
    assert code == 0
    assert "1 of 5 images (20.0%), such as xx/0.png, are not in the embeddings" in complaints
    row = rows_of(output)[0]
    assert (row["mated"], row["non_mated"]) == ("1", "1")
    _, _, (measure, _) = dataset()
    one, two, other = measure.quality.astype(np.float32)[:3]
    pooled = max(one, two) if how == "best" else (one + two) / 2
    assert row["quality_at_limit"] == ""  # all pairs may leave: there is no bar
    _, output, _ = run(REPORTS[0], *BOTH, *options[:-1], "0.5")
    bar = float(rows_of(output)[0]["quality_at_limit"])
    assert bar == pytest.approx(min(pooled, other))


def test_missing_qualities(folder, run):
    lines = Path(REPORTS[0]).read_text().splitlines(keepends=True)
    Path(REPORTS[0]).write_text("".join(lines[:-6]))
    code, output, complaints = run(*DRAWN)
    assert (code, output) == (2, "")
    assert "6 of 72 images (8.3%)" in complaints
    assert "choose --missing drop" in complaints
    code, output, _ = run(*DRAWN, "--missing", "drop")
    assert code == 0
    assert {row["mated"] for row in rows_of(output)[:8]} == {str(11 * 15)}
    assert int(rows_of(output)[0]["dropped"]) > 15


def test_plots_and_the_terminal(folder, run):
    code, output, complaints = run(*DRAWN, "--plots", "plots", "--show", "-f", "csv")
    assert code == 0
    assert len(list(Path("plots").iterdir())) == 12
    assert "wrote 12 plots to plots" in complaints
    assert "share of pairs discarded" in complaints
    assert "share of pairs discarded" not in output
    assert len(rows_of(output)) == 12


def test_images_of_a_bin_set_are_named_by_their_place(folder, run):
    Path("lfw.bin").write_bytes(pickle.dumps(([b"a", b"b", b"a", b"c"], [True, False])))
    _, recognisers, _ = dataset()
    names = [f"lfw.bin::{place}" for place in (0, 1, 3)]
    three = replace(
        recognisers["first"],
        paths=names,
        faces=np.zeros(3, np.int64),
        vectors=recognisers["first"].vectors[:3],
    )
    save_embeddings(folder / "bin.npz", three, "/data/")
    Path("q.csv").write_text("path,quality\n" + "".join(f"{name},1\n" for name in names))
    code, output, complaints = run("q.csv", "-e", "bin.npz", "-p", "lfw.bin", "--threshold", "0.5")
    assert (code, complaints) == (0, "")
    assert (rows_of(output)[0]["mated"], rows_of(output)[0]["non_mated"]) == ("1", "1")


class Command:
    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (pickle.dumps(([Command()], [True])), "lfw.bin: refused to unpickle it"),
        (pickle.dumps(([b"x", b"y"], [True]))[:-9], "cut off"),
        (b"", "lfw.bin is empty"),
        (b"\x89PNG", "lfw.bin"),
    ],
)
def test_hostile_and_broken_sets_end_with_one_line(folder, run, raw, message):
    Path("lfw.bin").write_bytes(raw)
    code, output, complaints = run(*REPORTS, *BOTH, "--pairs", "lfw.bin")
    assert (code, output) == (2, "")
    assert message in complaints
    assert complaints.count("\n") == 1
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.csv", "a,b\nx,y\n", "row 1 has no mated"),
        ("p.csv", "a,b,mated\nx,y,2\n", "mated is"),
        ("p.csv", "a,b,mated,similarity\nx,y,1,1\n", "has similarities already"),
        ("p.txt", "10 300\nAna 1 4\n", "cut off"),
        ("p.txt", "hello\n", "is no pair"),
        ("p.parquet", "", "is empty"),
    ],
)
def test_broken_lists_end_with_one_line(folder, run, name, text, message):
    Path(name).write_text(text)
    code, output, complaints = run(*REPORTS, *BOTH, "--pairs", name)
    assert (code, output) == (2, "")
    assert message in complaints
    assert complaints.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name reports"),
        (REPORTS, "give --embeddings, or --comparisons"),
        ([*REPORTS, *BOTH], "either --pairs FILE or --by-folder"),
        ([*DRAWN, "--pairs", "x.csv"], "either --pairs FILE or --by-folder"),
        ([*REPORTS, "-c", "x.csv", "--by-folder"], "leave out --pairs and --by-folder"),
        ([*DRAWN, "--templates", "x.txt"], "--templates goes with --pairs"),
        ([*DRAWN, "--extension", ".png"], "--extension goes with --pairs"),
        ([*DRAWN, "--template-quality", "best"], "--template-quality goes with --templates"),
        ([*REPORTS, *BOTH, "-p", "x", "--mated-limit", "9"], "go with --by-folder"),
        ([*REPORTS, *BOTH, "-p", "x.bin", "--extension", ".png"], "names its images in full"),
        ([*DRAWN, "--at", "0.1", "-f", "csv"], "--at is for a table or JSON"),
        ([*DRAWN, "--at", "1.5"], "'--at'"),
        ([*DRAWN, "--limit", "2"], "a limit of 2 is not within"),
        ([*DRAWN, "--fmr", "1e-6"], "needs 1,000,000 non-mated pairs or more"),
        ([*DRAWN, "--threshold", "1", "--re-estimated"], "only a threshold at an FMR"),
        ([*DRAWN, "--format", "xml"], "'--format'"),
        ([*DRAWN, "-o", REPORTS[1]], "is an input too"),
        ([*DRAWN, "-o", "no/where.json"], "cannot write no/where.json"),
        ([*DRAWN, "--missing", "skip"], "'--missing'"),
        ([REPORTS[0], "-e", REPORTS[0], "--by-folder"], "holds no embeddings"),
        (["none.csv", *BOTH, "--by-folder"], "cannot read none.csv"),
    ],
)
def test_usage_errors_end_with_exit_2_and_one_line(folder, run, arguments, message):
    code, output, complaints = run(*arguments)
    assert (code, output) == (2, "")
    assert message in complaints
    assert complaints.count("\n") == 1


def test_nothing_heavy_is_imported_for_help():
    done = fiqa("evaluate", "--help", PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    imported = {line.rsplit(b"|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert imported.isdisjoint({b"numpy", b"matplotlib", b"plotext", b"torch", b"pyarrow"})
    assert b"--starting-error" in done.stdout
