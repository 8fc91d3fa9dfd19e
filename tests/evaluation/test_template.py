import numpy as np
import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation import template
from fiqa_cli.evaluation.template import pool_embeddings, pool_quality, read_templates

# Template 7: photo 1 and video 2 of two frames. Template 3: video 2 again. Template 9: photo 4.
IMAGES = "1.jpg 7 1\n2.jpg 3 2\n3.jpg 7 2\n4.jpg 7 2\n5.jpg 9 4\n"
PAIRS = "7 3 1\n3 9 0\n"


@pytest.fixture
def read(tmp_path):
    def of(images, pairs, root=""):
        paths = tmp_path / "tid_mid.txt", tmp_path / "label.txt"
        for path, text in zip(paths, (images, pairs), strict=True):
            path.write_text(text)
        return read_templates(*paths, root)

    return of


def test_lists(read):
    templates = read(IMAGES, PAIRS, "loose_crop")
    assert templates.images[0] == "loose_crop/1.jpg"
    assert templates.template.tolist() == [1, 0, 1, 1, 2]
    assert len(set(templates.media.tolist())) == 4
    assert templates.media[2] == templates.media[3]
    pairs = templates.pairs
    assert pairs.faces == ["3", "7", "9"]
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([1, 0], [0, 2])
    assert pairs.mated.tolist() == [True, False]
    assert pairs.identities.tolist() == [0, 0, 1]


def test_embeddings_are_pooled_by_media_then_template(read, monkeypatch):
    monkeypatch.setattr(template, "CHUNK", 2)
    embeddings = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    pooled = pool_embeddings(embeddings, read(IMAGES, PAIRS))
    seven = embeddings[0] + (embeddings[2] + embeddings[3]) / 2
    for row, expected in enumerate((embeddings[1], seven, embeddings[4])):
        assert pooled[row] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)


def test_quality_is_the_mean_of_media_or_the_best(read):
    templates = read(IMAGES, PAIRS)
    quality = np.array([0.5, 0.1, 0.2, 0.4, 0.9])
    assert pool_quality(quality, templates) == pytest.approx([0.1, (0.5 + 0.3) / 2, 0.9])
    assert pool_quality(quality, templates, "best").tolist() == [0.1, 0.5, 0.9]


def test_images_without_a_face_do_not_count(read):
    templates = read(IMAGES, PAIRS)
    nan = np.nan
    quality = np.array([nan, 0.1, nan, 0.4, nan])
    for how in ("mean", "best"):
        np.testing.assert_allclose(pool_quality(quality, templates, how), [0.1, 0.4, nan])
    embeddings = np.eye(5)
    embeddings[np.isnan(quality)] = nan
    np.testing.assert_array_equal(
        pool_embeddings(embeddings, templates), [[0, 1, 0, 0, 0], [0, 0, 0, 1, 0], [nan] * 5]
    )
    nothing = np.full(5, nan)
    assert np.isnan(pool_quality(nothing, templates)).all()
    assert np.isnan(pool_embeddings(np.full((5, 2), nan), templates)).all()


@pytest.mark.parametrize(
    ("images", "pairs", "message"),
    [
        ("", PAIRS, "is empty"),
        (IMAGES, " \n", "is empty"),
        (IMAGES[:-3], PAIRS, "no list of templates.*cut off"),
        (IMAGES, PAIRS[:-3], "no list of template pairs.*cut off"),
        (IMAGES, "7 3 2\n", "no list of template pairs"),
        (IMAGES, "7 3\n", "no list of template pairs"),
        (IMAGES, "7 3 x\n", "no list of template pairs"),
        (IMAGES, f"7 {10**30} 1\n", "no list of template pairs"),
        (f"1.jpg {10**30} 1\n", PAIRS, "no list of templates"),
        (IMAGES, "7 3 1\n7 8 0\n", "template 8 has no image"),
    ],
)
def test_refused(read, images, pairs, message):
    with pytest.raises(FiqaError, match=message) as refusal:
        read(images, pairs)
    assert "\n" not in str(refusal.value)
