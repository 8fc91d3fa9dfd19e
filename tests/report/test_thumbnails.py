import base64
import tarfile
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from fiqa_cli.faces.alignment import TEMPLATE, align
from fiqa_cli.faces.face import LANDMARK_COLUMNS
from fiqa_cli.records.row import Row
from fiqa_cli.report.thumbnails import face_of, thumbnails

IMAGE = np.arange(100 * 200 * 3).reshape(100, 200, 3).astype(np.uint8)


@pytest.mark.parametrize(
    ("box", "place"),
    [
        ((40, 20, 60, 40), (35, 15, 30)),  # a quarter of margin on each side
        ((40, 20, 80, 30), (30, 0, 60)),  # moved down, as it reaches above the image
        ((180, 80, 220, 120), (140, 40, 60)),
        ((-1000, -1000, 2000, 2000), (100, 0, 100)),
        ((10, 10, 10, 10), (9, 9, 2)),
    ],
)
def test_the_square_around_a_box_lies_within_the_image(box, place):
    row = Row("a", x1=box[0], y1=box[1], x2=box[2], y2=box[3])
    x, y, side = place
    assert np.array_equal(face_of(IMAGE, row), IMAGE[y : y + side, x : x + side])


@pytest.mark.parametrize("bad", [float("inf"), float("nan"), None])
def test_without_a_box_the_image_is_the_crop(bad):
    assert face_of(IMAGE, Row("a", x1=bad, y1=1.0, x2=2.0, y2=3.0)) is IMAGE


def test_landmarks_align():
    landmarks = TEMPLATE * 0.5 + 20
    details = dict(zip(LANDMARK_COLUMNS, landmarks.ravel().tolist(), strict=True))
    assert np.array_equal(face_of(IMAGE, Row("a", details=details)), align(IMAGE, landmarks))
    same = dict.fromkeys(LANDMARK_COLUMNS, 7.0)
    assert face_of(IMAGE, Row("a", details=same)) is IMAGE


def picture(uri):
    head, _, data = uri.partition(",")
    assert head == "data:image/webp;base64"
    return np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("RGB")).astype(float)


def test_pictures_or_why_there_are_none(tmp_path):
    photo = astronaut()
    path = str(tmp_path / "a.png")
    Image.fromarray(photo).save(path)
    (tmp_path / "b.png").write_bytes(b"no image")
    box = {"x1": 175.0, "y1": 65.0, "x2": 275.0, "y2": 185.0}
    rows = {
        0: Row(path, width=512, height=512, **box),
        1: Row(path, width=512, height=300, **box),
        2: Row(str(tmp_path / "b.png")),
        3: Row(str(tmp_path / "none.png")),
        4: Row("https://127.0.0.1:1/a.png"),
        5: Row(f"{tmp_path}/a.tar::x/1.png"),
        6: Row(f"{tmp_path}/a.tar::x/2.png"),
    }
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(path, "x/1.png")
    found = dict(thumbnails(rows, [*((place, 96) for place in rows), (0, 48)], workers=2))
    assert picture(found[0, 48].uri).shape == (48, 48, 3)
    small = picture(found[0, 96].uri)
    face = Image.fromarray(photo[35:215, 135:315]).resize((96, 96), Image.Resampling.LANCZOS)
    assert np.abs(small - np.asarray(face)).mean() < 8
    assert np.array_equal(picture(found[5, 96].uri)[:, :, 0].shape, (96, 96))
    reasons = [found[place, 96].reason for place in (1, 2, 3, 4, 6)]
    assert reasons == [
        "the image has changed since it was scored",
        "not an image of a supported format",
        "no such file or directory",
        "it is behind a URL",
        "no such member of a.tar",
    ]
