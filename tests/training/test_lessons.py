from pathlib import Path

import numpy as np
import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.readers import open_reader
from fiqa_cli.training.crops import Crops, open_crops
from fiqa_cli.training.label_report import read_labels
from fiqa_cli.training.lessons import Lessons, from_report, from_stability
from training.small_faces import write_faces

IDENTITIES, EACH = 5, 4


@pytest.fixture
def crops(tmp_path: Path) -> Crops:
    return open_crops([write_faces(tmp_path / "faces", IDENTITIES, EACH)])


def report(crops: Crops, file: Path, qualities: list[float | None]) -> Path:
    rows = [
        f"{entry.path},,failed" if quality is None else f"{entry.path},{quality},ok"
        for entry, quality in zip(crops.entries, qualities, strict=True)
    ]
    file.write_text("\n".join(("path,quality,status", *rows)) + "\n")
    return file


def lessons(file: Path, crops: Crops, told: list[str], **changes: float) -> Lessons:
    embeddings = np.random.default_rng(0).normal(size=(len(crops), 8)).astype(np.float32)
    options = {"best": 0.5, "fewest": 1, "validation": 0.25, "optimised": True, **changes}
    return from_report(file, crops, embeddings, notify=told.append, **options)  # type: ignore[arg-type]


def test_labels_are_scaled_and_split_evenly_over_the_qualities(
    crops: Crops, tmp_path: Path
) -> None:
    quality = np.random.default_rng(1).permutation(len(crops)) * 2.0 + 10
    told: list[str] = []
    taught = lessons(report(crops, tmp_path / "r.csv", list(quality)), crops, told, best=1.0)
    np.testing.assert_allclose(taught.labels, (quality - 10) / (2 * len(crops) - 2), rtol=1e-6)
    assert told == []
    # Every fourth in order of quality, from the lowest on, as the official code splits.
    assert sorted(quality[taught.watched]) == [10, 18, 26, 34, 42]
    assert sorted([*taught.rows, *taught.watched]) == list(range(len(crops)))


def test_dropped_identities_are_told(crops: Crops, tmp_path: Path) -> None:
    # The best half are the first three images of identities 0 to 2 and the first two of 3.
    quality = [i / 100 + (i < 14 and i % EACH < 3) for i in range(len(crops))]
    file = report(crops, tmp_path / "r.csv", list(quality))
    told: list[str] = []
    taught = lessons(file, crops, told, fewest=3)
    assert "dropped 2 of 5 identities (8 images)" in told[0]
    assert "fewer than 3 images among the best 50%" in told[0]
    assert told[0].endswith("id3, id4")
    assert set(crops.identities[[*taught.rows, *taught.watched]]) == {0, 1, 2}
    assert taught.centres is not None
    with pytest.raises(FiqaError, match=r"no identity has 9 images .* --fewest"):
        lessons(file, crops, told, fewest=9)
    # Plain labels need no centres, and keep everyone.
    plain = lessons(file, crops, told, fewest=9, optimised=False)
    assert len(plain.rows) + len(plain.watched) == len(crops)
    assert plain.centres is None


def test_images_without_a_quality_are_left_out_and_told(crops: Crops, tmp_path: Path) -> None:
    quality: list[float | None] = [0.1 * i for i in range(len(crops))]
    quality[3] = None
    told: list[str] = []
    taught = lessons(report(crops, tmp_path / "r.csv", quality), crops, told)
    assert "1 of 20 images have no quality" in told[0]
    assert 3 not in [*taught.rows, *taught.watched]
    with pytest.raises(FiqaError, match="all labels"):
        lessons(report(crops, tmp_path / "e.csv", [0.5] * len(crops)), crops, told)


def test_labels_are_found_where_the_images_have_moved(crops: Crops, tmp_path: Path) -> None:
    quality = [float(i) for i in range(len(crops))]
    file = report(crops, tmp_path / "r.csv", list(quality))
    moved = open_crops([(tmp_path / "faces").rename(tmp_path / "elsewhere")])
    np.testing.assert_array_equal(read_labels(file, moved), quality)
    (tmp_path / "r.csv").write_text("path,quality\na.tar::id1/2.png,7\nb.png,8\n")
    labels = read_labels(file, moved)
    assert labels[1 * EACH + 2] == 7
    assert np.isnan(labels).sum() == len(moved) - 1


def test_reports_of_other_images_or_of_names_that_occur_twice_are_told(
    crops: Crops, tmp_path: Path
) -> None:
    (tmp_path / "r.csv").write_text("path,quality\nx/y.png,0.5\n")
    with pytest.raises(FiqaError, match="no quality for any of these images"):
        read_labels(tmp_path / "r.csv", crops)
    other = write_faces(tmp_path / "other", 1, 1)
    both = open_crops([tmp_path / "faces", other])
    (tmp_path / "r.csv").write_text("path,quality\nsomewhere/id0/0.png,0.5\n")
    with pytest.raises(FiqaError, match="any of several"):
        read_labels(tmp_path / "r.csv", both)
    (tmp_path / "r.csv").write_text(f"path,quality\n{other}/id0/0.png,0.5\n")
    assert np.nanmax(read_labels(tmp_path / "r.csv", both)) == 0.5


def test_the_first_face_with_a_quality_counts(crops: Crops, tmp_path: Path) -> None:
    place = crops.entries[0].path
    (tmp_path / "r.csv").write_text(f"path,face,quality\n{place},0,\n{place},1,3\n{place},2,4\n")
    with open_reader(tmp_path / "r.csv") as reader:
        assert sum(map(len, reader)) == 3
    assert read_labels(tmp_path / "r.csv", crops)[0] == 3


def test_stability_watches_whole_identities(crops: Crops) -> None:
    axes = np.eye(IDENTITIES, 16, dtype=np.float32)[crops.identities]
    noise = 0.05 * np.random.default_rng(0).normal(size=(len(crops), 2, 16)).astype(np.float32)
    told: list[str] = []
    taught = from_stability(crops, axes[:, None] + noise, 0.5, 2, seed=1, notify=told.append)
    identities = taught.identities
    assert len(set(identities[taught.watched])) == 2
    assert not set(identities[taught.watched]) & set(identities[taught.rows])
    assert taught.embeddings is not None
    assert taught.embeddings.shape == (len(crops) * 2, 16)
