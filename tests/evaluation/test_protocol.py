import pickle

import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.protocol import names_of, pairs_of, read_protocol


def test_each_kind_of_file(tmp_path):
    (tmp_path / "pairs.txt").write_text("Ana\t1\t2\nAna\t1\tBo\t3\n")
    lfw = read_protocol(tmp_path / "pairs.txt", extension=".png")
    assert names_of(lfw) == ["Ana/Ana_0001.png", "Ana/Ana_0002.png", "Bo/Bo_0003.png"]
    (tmp_path / "pairs.csv").write_text("a,b,mated\nx,y,1\n")
    assert names_of(read_protocol(tmp_path / "pairs.csv")) == ["x", "y"]
    (tmp_path / "LFW.BIN").write_bytes(pickle.dumps(([b"x", b"y"], [True])))
    assert names_of(read_protocol(tmp_path / "LFW.BIN")) == [
        f"{tmp_path}/LFW.BIN::{place}" for place in (0, 1)
    ]
    (tmp_path / "media.txt").write_text("1.jpg 5 1\n2.jpg 6 2\n")
    (tmp_path / "label.txt").write_text("5 6 0\n")
    templates = read_protocol(tmp_path / "label.txt", tmp_path / "media.txt")
    assert names_of(templates) == ["1.jpg", "2.jpg"]
    assert pairs_of(templates).faces == ["5", "6"]
    assert pairs_of(lfw) is lfw


def test_compared_pairs_are_no_protocol(tmp_path):
    (tmp_path / "pairs.csv").write_text("a,b,mated,similarity\nx,y,1,0.5\n")
    with pytest.raises(FiqaError, match="has similarities already"):
        read_protocol(tmp_path / "pairs.csv")
