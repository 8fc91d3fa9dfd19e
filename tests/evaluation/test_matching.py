import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.matching import match_paths

NAMES = ["ana/1.jpg", "ana/2.jpg", "bo/1.jpg"]
PARTS = st.sampled_from(["ana", "bo", "a", "1.jpg", "2.jpg", "x"])
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
LEADS = st.sampled_from(["", "./", "../", "data/", "/data/", "/data/crops/", "lfw.bin::"])


@given(st.lists(PATHS, min_size=1, unique=True), LEADS, st.randoms(use_true_random=False))
def test_a_common_leading_folder_makes_no_difference(paths, lead, random):
    """One side has it, in any order, and other images besides that are nothing like the wanted."""
    at_hand = [lead + path for path in paths] + ["else/where.png"]
    random.shuffle(at_hand)
    try:
        rows = match_paths(paths, at_hand).tolist()
        back = match_paths(at_hand, paths).tolist()
    except FiqaError as error:
        assert "--root" in str(error)  # such as a/a/1.jpg and a/1.jpg below a folder
        return
    if "::" not in lead:
        assert sum(row >= 0 for row in rows) >= 1
        for path, row in zip(paths, rows, strict=True):
            assert row < 0 or at_hand[row].endswith(path)
        assert sum(row >= 0 for row in back) == sum(row >= 0 for row in rows)


@pytest.mark.parametrize("lead", ["", "./", "../", "data/", "/data/", "/data/crops/"])
def test_every_image_is_found(lead):
    at_hand = [lead + name for name in reversed(NAMES)]
    assert match_paths(NAMES, at_hand).tolist() == [2, 1, 0]
    assert match_paths(at_hand, NAMES).tolist() == [2, 1, 0]


def test_equal_names_in_other_folders_are_other_images():
    at_hand = ["/d/ana/1.jpg", "/d/cem/1.jpg", "/d/cem/2.jpg"]
    assert match_paths(NAMES, at_hand).tolist() == [0, -1, -1]
    assert match_paths(["x.jpg"], ["y.jpg", "z/w.jpg"]).tolist() == [-1]
    # 1.jpg at the top is not bo/1.jpg, for ana/2.jpg is there as it stands.
    assert match_paths(NAMES, ["1.jpg", "ana/2.jpg"]).tolist() == [-1, 1, -1]


def test_two_copies_of_a_dataset_need_a_root():
    both = [f"{folder}/{name}" for folder in ("clean", "blurred") for name in NAMES]
    with pytest.raises(FiqaError, match="clean/ or in blurred/: say with --root"):
        match_paths(NAMES, both)
    assert match_paths(NAMES, both, ["blurred"]).tolist() == [3, 4, 5]
    assert match_paths(both, both).tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(FiqaError, match="two images are called"):
        match_paths(NAMES, both, ["blurred", "clean/"])


def test_roots_join_what_lies_in_different_folders():
    assert match_paths(["a/ana/1.jpg"], ["b/c/ana/1.jpg"]).tolist() == [-1]
    assert match_paths(["a/ana/1.jpg"], ["b/c/ana/1.jpg"], ["a", "b/c/"]).tolist() == [0]
