import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.lfw_pairs import read_lfw_pairs

FOLDS = """\
2\t1
Ana_Bee\t1\t4
Ana_Bee\t4\tCem_Dee\t1
Cem_Dee\t1\t12
Ed\t3\tAna_Bee\t1
"""


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "pairs.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_pairs_of_two_folds(file):
    pairs = read_lfw_pairs(file(FOLDS), "lfw/", ".png")
    assert pairs.faces == [
        "lfw/Ana_Bee/Ana_Bee_0001.png",
        "lfw/Ana_Bee/Ana_Bee_0004.png",
        "lfw/Cem_Dee/Cem_Dee_0001.png",
        "lfw/Cem_Dee/Cem_Dee_0012.png",
        "lfw/Ed/Ed_0003.png",
    ]
    assert pairs.first.tolist() == [0, 1, 2, 4]
    assert pairs.second.tolist() == [1, 2, 3, 0]
    assert pairs.mated.tolist() == [True, False, True, False]
    assert pairs.identities.tolist() == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    "text",
    [
        FOLDS.replace("2\t1\n", "2\n"),  # one fold, as in pairsDevTest.txt
        FOLDS.replace("2\t1\n", ""),
        FOLDS.replace("\t", " ").replace("\n", " \r\n\r\n"),
        "\n" + FOLDS.rstrip(),
    ],
)
def test_other_heads_and_spaces(file, text):
    pairs = read_lfw_pairs(file(text))
    assert pairs.faces[0] == "Ana_Bee/Ana_Bee_0001.jpg"
    assert pairs.mated.tolist() == [True, False, True, False]


def test_names_with_spaces_between_tabs(file):
    assert read_lfw_pairs(file("Ana Bee\t1\t2")).faces[0] == "Ana Bee/Ana Bee_0001.jpg"


@pytest.mark.parametrize("length", range(len(FOLDS.rstrip())))
def test_a_truncated_file_is_refused_wherever_it_ends(file, length):
    with pytest.raises(FiqaError):
        read_lfw_pairs(file(FOLDS[:length]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("10 300\n", "a head and no pairs"),
        (FOLDS + "Ed\t1\t2\n", "has 5 pairs where its head says 4"),
        ("Ana\t1\tx\n", "line 1 is no pair"),
        (FOLDS.replace("12", "1" * 5000), "line 4 is no pair"),
        (b"\x89PNG\r\n\x1a\n\0\0\xff", "line 1 is no pair"),
    ],
)
def test_refused(file, text, message):
    with pytest.raises(FiqaError, match=message) as refusal:
        read_lfw_pairs(file(text))
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 400


def test_missing_files_and_folders(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(FiqaError, match="cannot read"):
            read_lfw_pairs(path)
