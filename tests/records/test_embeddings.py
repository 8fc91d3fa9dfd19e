import io
import pickle
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fiqa_cli.errors import FiqaError
from fiqa_cli.records import embedding_writers
from fiqa_cli.records.embedding_writers import embedding_format, open_embedding_writer
from fiqa_cli.records.embeddings import read_embeddings
from fiqa_cli.records.row import Row
from records.strategies import NAMES

FORMATS = (".npz", ".parquet")
VECTOR = arrays(np.float32, 3, elements=st.floats(width=32, allow_nan=False, allow_infinity=False))
RESULTS = st.lists(st.tuples(NAMES, st.none() | st.integers(0, 99), st.none() | VECTOR), max_size=9)


def write(path: Path, results, recogniser="fr-n", sha256="ab" * 32) -> None:
    with open_embedding_writer(path, recogniser, sha256) as writer:
        for name, face, vector in results:
            status = "ok" if vector is not None else "no-face"
            writer.write(Row(name, face, status, error=status), vector)


@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(results=RESULTS, recogniser=NAMES, group=st.integers(1, 9))
def test_what_is_written_is_read(monkeypatch, suffix, results, recogniser, group) -> None:
    monkeypatch.setattr(embedding_writers, "GROUP", group)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"e{suffix}")
        write(path, results, recogniser)
        found = read_embeddings(path)
        assert [p.name for p in Path(folder).iterdir()] == [path.name]
    kept = [(name, face or 0, vector) for name, face, vector in results if vector is not None]
    assert found.paths == [name for name, _, _ in kept]
    assert found.faces.tolist() == [face for _, face, _ in kept]
    assert found.faces.dtype == np.int64
    assert found.vectors.dtype == np.float32
    assert found.vectors.shape == ((len(kept), 3) if kept else (0, 0))
    for row, (_, _, vector) in zip(found.vectors, kept, strict=True):
        np.testing.assert_array_equal(row, vector)
    assert (found.recogniser, found.sha256) == (recogniser, "ab" * 32)


RESULT = [("a\udce9", None, np.ones(2, np.float32)), ("b\udcff", None, None)]


def test_other_tools_see_what_is_missing_in_npz(tmp_path) -> None:
    write(tmp_path / "e.npz", RESULT)
    with np.load(tmp_path / "e.npz", allow_pickle=False) as data:
        assert data["path"].tolist() == ["a\udce9"]
        assert data["missing_path"].tolist() == ["b\udcff"]
        assert data["missing_status"].tolist() == data["missing_error"].tolist() == ["no-face"]
        assert (str(data["recogniser"]), data["embedding"].tolist()) == ("fr-n", [[1, 1]])


def test_other_tools_see_every_row_in_parquet(tmp_path) -> None:
    write(tmp_path / "e.parquet", RESULT)
    assert pq.read_table(tmp_path / "e.parquet").to_pylist() == [
        {
            "path": "a\\udce9",
            "face": 0,
            "status": "ok",
            "error": "ok",
            "embedding": [1, 1],
            "path_bytes": b"a\xe9",
        },
        {
            "path": "b\\udcff",
            "face": None,
            "status": "no-face",
            "error": "no-face",
            "embedding": None,
            "path_bytes": b"b\xff",
        },
    ]


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_interruption_keeps_what_was_written(suffix, tmp_path) -> None:
    path = tmp_path / f"e{suffix}"
    path.write_bytes(b"what was there before")
    with pytest.raises(KeyboardInterrupt), open_embedding_writer(path, "r", "") as writer:
        writer.write(Row("a"), np.ones(2, np.float32))
        assert path.read_bytes() == b"what was there before"
        raise KeyboardInterrupt
    assert read_embeddings(path).paths == ["a"]


@pytest.mark.parametrize("name", ["e.csv", "e", ".npz"])
def test_other_suffixes_are_refused(name) -> None:
    with pytest.raises(FiqaError, match=r"is neither \.npz nor \.parquet"):
        embedding_format(Path(name))


def test_parquet_is_written_in_constant_memory(tmp_path) -> None:
    path = tmp_path / "e.parquet"
    with open_embedding_writer(path, "r", "") as writer:
        for number in range(2 * embedding_writers.GROUP + 1):
            writer.write(Row(str(number)), np.full(2, number, np.float32))
        assert writer._rows == [writer._rows[0]]
    assert pq.ParquetFile(path).num_row_groups == 3
    assert read_embeddings(path).vectors[-1].tolist() == [2 * embedding_writers.GROUP] * 2


@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    cut=st.floats(0, 1),
    noise=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4),
)
def test_any_bytes_give_embeddings_or_one_line(suffix, cut, noise, tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("bytes") / f"e{suffix}"
    write(path, RESULT)
    data = bytearray(path.read_bytes())
    for at, value in noise:
        data[int(at * len(data))] = value
    path.write_bytes(data[: round(cut * len(data))])
    try:
        found = read_embeddings(path)
    except FiqaError as error:
        assert "\n" not in str(error)
    else:
        assert len(found.paths) == len(found.faces) == len(found.vectors)


GOOD = {
    "path": np.array(["a"]),
    "face": np.array([0]),
    "embedding": np.ones((1, 2), np.float32),
    "recogniser": np.array("r"),
    "sha256": np.array(""),
}


def refused(path: Path) -> str:
    with pytest.raises(FiqaError) as raised:
        read_embeddings(path)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"path": None}, "no array path"),
        ({"recogniser": None}, "no array recogniser"),
        ({"path": np.array([1])}, "no text"),
        ({"path": np.array([["a"]])}, "shape"),
        ({"path": np.array(["a", "b"])}, "face numbers"),
        ({"face": np.array([0.5])}, "face numbers"),
        ({"embedding": np.ones((1, 2))}, "float32"),
        ({"embedding": np.ones(1, np.float32)}, "float32"),
        ({"embedding": np.full((1, 2), np.nan, np.float32)}, "finite"),
        ({"recogniser": np.array(["r"])}, "shape"),
    ],
)
def test_a_foreign_npz_is_refused(change, told, tmp_path) -> None:
    changed = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    np.savez(tmp_path / "e.npz", **changed)
    assert told in refused(tmp_path / "e.npz")


def test_a_pickle_in_an_npz_is_not_run(tmp_path) -> None:
    witness = tmp_path / "witness"

    class Runs:
        def __reduce__(self):
            return Path.touch, (witness,)

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|O", "fortran_order": False, "shape": (1,)}
    )
    np.savez(tmp_path / "e.npz", **{k: v for k, v in GOOD.items() if k != "embedding"})
    with zipfile.ZipFile(tmp_path / "e.npz", "a") as archive:
        archive.writestr("embedding.npy", header.getvalue() + pickle.dumps(Runs()))
    assert "damaged" in refused(tmp_path / "e.npz")
    assert not witness.exists()


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"path": ["a"]}, "no column face of type int64"),
        ({"path": ["a"], "face": [0], "embedding": [1.0]}, "no column embedding of type list"),
        ({"path": ["a"], "face": [0], "embedding": [[1.0]]}, "no recogniser is named"),
        ({"path": ["a", "b"], "face": [0, 0], "embedding": [[1.0], [1.0, 2.0]]}, "lengths"),
        ({"path": [None], "face": [0], "embedding": [[1.0]]}, "without a path"),
        ({"path": ["a"], "face": [None], "embedding": [[1.0]]}, "face numbers"),
        ({"path": ["a"], "face": [0], "embedding": [[None]]}, "finite"),
    ],
)
def test_a_foreign_parquet_is_refused(columns, told, tmp_path) -> None:
    types = {"path": pa.string(), "face": pa.int64(), "embedding": pa.list_(pa.float32())}
    if isinstance(columns.get("embedding", [[]])[0], float):
        types["embedding"] = pa.float32()
    table = pa.table({n: pa.array(v, types[n]) for n, v in columns.items()})
    if told != "no recogniser is named":
        table = table.replace_schema_metadata({"fiqa.recogniser": "r", "fiqa.sha256": ""})
    pq.write_table(table, tmp_path / "e.parquet")
    assert told in refused(tmp_path / "e.parquet")


def test_what_is_no_such_file_is_refused(tmp_path) -> None:
    assert "cannot read" in refused(tmp_path / "none.npz")
    for content in (b"", b"path,face\n", pickle.dumps([1])):
        (tmp_path / "e.npz").write_bytes(content)
        assert "holds no embeddings" in refused(tmp_path / "e.npz")
