from pathlib import Path

import numpy as np
import pytest

from evaluation.drawn_dataset import embeddings, measure
from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.comparisons import (
    compare_embeddings,
    cosines,
    pairs_by_folder,
    read_comparisons,
    read_recognisers,
)
from fiqa_cli.evaluation.pairs import Pairs
from fiqa_cli.evaluation.template import read_templates

PATHS = ["ana/1.png", "ana/2.png", "bo/1.png"]
PAIRS = Pairs(
    PATHS, np.array([0, 0]), np.array([1, 2]), np.array([True, False]), np.array([0, 0, 1])
)
VECTORS = [[3, 4], [4, 3], [0, 2]]


def test_cosines_and_qualities_meet_in_any_order_and_below_any_folder():
    given = embeddings(PATHS[::-1], VECTORS[::-1])
    scores = measure("q", [f"/data/{path}" for path in PATHS], [0.1, 0.2, 0.3])
    (found,) = compare_embeddings({"r": given}, PAIRS, [scores])
    assert found.similarity == pytest.approx([24 / 25, 4 / 5])
    assert found.qualities["q"].tolist() == [0.1, 0.2, 0.3]
    assert found.recogniser == "r"


def test_embeddings_say_which_face_of_an_image_is_meant():
    given = embeddings(PATHS, VECTORS, faces=[1, 0, 0])
    paths = ["ana/1.png", "ana/1.png", "ana/2.png", "bo/1.png"]
    scores = measure("q", paths, [0.9, 0.1, 0.2, 0.3], faces=[0, 1, 0, 7])
    told = []
    (found,) = compare_embeddings({"r": given}, PAIRS, [scores], warn=told.append)
    np.testing.assert_array_equal(found.qualities["q"], [0.1, 0.2, np.nan])
    assert told == [
        "the report of q has other faces than the embeddings in 1 images: score and embed with "
        "the same --faces"
    ]


def test_what_is_missing_is_told_and_left_out_for_all_recognisers():
    given = {"r": embeddings(PATHS, VECTORS), "s": embeddings(PATHS[:2], VECTORS[:2])}
    scores = measure("q", PATHS[:2], [0.1, np.nan])
    told = []
    found = compare_embeddings(given, PAIRS, [scores], warn=told.append)
    assert [one.pairs.mated.tolist() for one in found] == [[True], [True]]
    np.testing.assert_array_equal(found[0].qualities["q"], [0.1, np.nan, np.nan])
    assert told == [
        "1 of 3 images (33.3%), such as bo/1.png, are not in the report of q",
        "1 of 3 images (33.3%), such as bo/1.png, are not in the embeddings of s",
        "1 of 2 pairs (50.0%) were not compared and are left out",
    ]


def test_nothing_in_common_is_an_error():
    with pytest.raises(
        FiqaError, match=r"none of the 3 images .* ana/1.png, is in the report of q"
    ):
        compare_embeddings(
            {"r": embeddings(PATHS, VECTORS)}, PAIRS, [measure("q", ["x.png"], [1.0])]
        )
    with pytest.raises(FiqaError, match="is in the embeddings of r: are both of one dataset"):
        compare_embeddings({"r": embeddings(["x.png"], [[1, 0]])}, PAIRS, [])
    empty = embeddings([], np.empty((0, 0)))
    with pytest.raises(FiqaError, match="is in the embeddings of r"):
        compare_embeddings({"r": empty}, PAIRS, [])
    only_first = {"r": embeddings(PATHS[:1], VECTORS[:1])}
    with pytest.raises(FiqaError, match="no pair was compared"):
        compare_embeddings(only_first, PAIRS, [])


def test_pairs_by_folder_are_of_images_that_all_have():
    first = embeddings([f"/d/{name}/{n}.png" for name in ("ana", "bo") for n in range(4)])
    second = embeddings([f"{name}/{n}.png" for name in ("ana", "bo") for n in range(3)])
    pairs = pairs_by_folder({"r": first, "s": second})
    assert pairs.faces == [f"/d/{name}/{n}.png" for name in ("ana", "bo") for n in range(3)]
    assert (pairs.mated.sum(), (~pairs.mated).sum()) == (6, 9)
    two = embeddings([f"{s}/{name}/{s}{n}.png" for s in "xy" for name in "ab" for n in (1, 2)])
    assert pairs_by_folder({"r": two}, ["x", "y"]).mated.sum() == 12  # two persons, four each
    assert pairs_by_folder({"r": two}).mated.sum() == 4


def test_templates_pool_embeddings_and_qualities(tmp_path):
    (tmp_path / "media.txt").write_text("1.jpg 1 1\n2.jpg 1 1\n3.jpg 1 2\n4.jpg 2 3\n")
    (tmp_path / "pairs.txt").write_text("1 2 0\n")
    templates = read_templates(tmp_path / "media.txt", tmp_path / "pairs.txt")
    paths = [f"img/{n}.jpg" for n in (1, 2, 3, 4)]
    given = {"r": embeddings(paths, [[1, 0], [3, 0], [0, 2], [0, 1]])}
    scores = measure("q", paths, [0.2, 0.4, 0.9, 0.5])
    (found,) = compare_embeddings(given, templates, [scores])
    assert found.similarity == pytest.approx([2 / np.sqrt(8)])  # media (2, 0) and (0, 2)
    assert found.qualities["q"] == pytest.approx([(0.3 + 0.9) / 2, 0.5])
    (found,) = compare_embeddings(given, templates, [scores], template_quality="best")
    assert found.qualities["q"] == pytest.approx([0.9, 0.5])


def test_cosines_of_no_length_and_of_nothing():
    vectors = np.array([[1, 0], [0, 0], [np.nan, np.nan]], np.float32)
    found = cosines(vectors, np.array([0, 0, 0]), np.array([0, 1, 2]))
    np.testing.assert_array_equal(found, [1, 0, np.nan])


def compared(path, text):
    path.write_text(f"a,b,mated,similarity\n{text}")
    return path


def test_comparisons_made_elsewhere(tmp_path):
    file = compared(tmp_path / "arc.csv", "p,q,1,0.5\np,r,0,\nq,r,0,-0.25\n")
    told = []
    scores = measure("m", ["x/p", "x/q", "x/q", "x/r"], [0.1, np.nan, 0.2, 0.3], [0, 0, 1, 0])
    (found,) = read_comparisons([file], [scores], warn=told.append)
    assert (found.recogniser, found.similarity.tolist()) == ("arc", [0.5, -0.25])
    assert found.qualities["m"].tolist() == [0.1, 0.2, 0.3]
    assert told == ["1 of 3 pairs (33.3%) were not compared and are left out"]


def test_comparisons_that_are_refused(tmp_path):
    file = compared(tmp_path / "arc.csv", "p,q,1,0.5\n")
    several = measure("m", ["p", "p", "q"], [0.1, 0.2, 0.3], [0, 1, 0])
    with pytest.raises(FiqaError, match=r"1 images, such as p, have several faces .* --faces larg"):
        read_comparisons([file], [several])
    (tmp_path / "pairs.csv").write_text("a,b,mated\np,q,1\n")
    with pytest.raises(FiqaError, match="no column similarity"):
        read_comparisons([tmp_path / "pairs.csv"], [])


def save(path: Path, paths, faces, recogniser):
    np.savez(
        path,
        path=np.array(paths),
        face=np.array(faces),
        embedding=np.ones((len(paths), 2), np.float32),
        recogniser=np.array(recogniser),
        sha256=np.array(""),
        missing_path=np.array([], str),
        missing_status=np.array([], str),
        missing_error=np.array([], str),
    )
    return path


def test_recognisers_of_one_name_are_told_apart(tmp_path):
    files = [
        save(tmp_path / f"{name}.npz", ["a.png"], [0], recogniser)
        for name, recogniser in (("1", "arc"), ("2", "arc"), ("3", "ada"))
    ]
    names = list(read_recognisers([*files, files[0]]))
    assert names == [f"arc ({files[0]})", f"arc ({files[1]})", "ada"]


def test_several_faces_of_one_image_are_refused(tmp_path):
    file = save(tmp_path / "e.npz", ["a.png", "a.png"], [0, 1], "arc")
    with pytest.raises(FiqaError, match=r"several faces of one image.*--faces largest"):
        read_recognisers([file])
