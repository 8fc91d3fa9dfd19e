import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.pair_list import read_pair_list

ROWS = [
    {"a": "x/1.jpg", "b": "x/2.jpg", "mated": 1, "similarity": 0.75},
    {"a": "x/2.jpg", "b": "y,1.jpg", "mated": 0, "similarity": -0.25},
    {"a": "y,1.jpg", "b": "007", "mated": 1, "similarity": None},
]
CSV = "a,b,mated,similarity\nx/1.jpg,x/2.jpg,1,0.75\nx/2.jpg,'y,1.jpg',0,-0.25\n'y,1.jpg',007,1,\n"


def as_csv(path):
    path.write_text(CSV.replace("'", '"'))


def as_jsonl(path):
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def as_parquet(path):
    pq.write_table(pa.Table.from_pylist(ROWS), path)


@pytest.mark.parametrize("write", [as_csv, as_jsonl, as_parquet])
def test_lists_in_any_format(tmp_path, write):
    write(tmp_path / "pairs")
    pairs, similarity = read_pair_list(tmp_path / "pairs")
    assert pairs.faces == ["x/1.jpg", "x/2.jpg", "y,1.jpg", "007"]
    assert pairs.first.tolist() == [0, 1, 2]
    assert pairs.second.tolist() == [1, 2, 3]
    assert pairs.mated.tolist() == [True, False, True]
    assert pairs.identities.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(similarity, [0.75, -0.25, np.nan])


def test_similarity_is_optional_and_flags_may_be_words(tmp_path):
    (tmp_path / "pairs.csv").write_text("b,mated,a\nq,True,p\nq,false,r\n")
    pairs, similarity = read_pair_list(tmp_path / "pairs.csv")
    assert similarity is None
    assert pairs.mated.tolist() == [True, False]
    assert [pairs.faces[row] for row in pairs.first] == ["p", "r"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no pairs"),
        ("a,b,mated\n", "no pairs"),
        ("a,mated\np,1\n", "row 1 has no b"),
        ("p,q,1\np,r,0\n", "row 1 has no a"),
        ("a,b,mated\np,q,1\np,,1\n", "row 2 has no b"),
        ("a,b,mated\np,q,1\np,r\n", "row 2 has 2 cells"),
        ("a,b,mated\np,q,perhaps\n", "row 1: mated is 'perhaps'"),
        ("a,b,mated,similarity\np,q,1,x\n", "similarity"),
    ],
)
def test_refused(tmp_path, text, message):
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(FiqaError, match=message) as refusal:
        read_pair_list(tmp_path / "pairs.csv")
    assert "\n" not in str(refusal.value)
