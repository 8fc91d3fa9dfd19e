"""`fiqa best`: the best shots of each group."""

import pytest

from cli.command import fiqa, shell
from fiqa_cli.records.row import Row
from fiqa_cli.records.writers import open_writer
from sources.containers import PHOTOS, write_rec

FRAMES = [
    Row("v/clip.mp4::0.0s", 0, quality=0.5, details={"track": 1}),
    Row("v/clip.mp4::0.5s", 0, quality=0.9, details={"track": 1}),
    Row("v/clip.mp4::1.0s", 0, quality=0.8, details={"track": 1}),
    Row("v/clip.mp4::1.0s", 1, quality=0.3, details={"track": 2}),
    Row("v/clip.mp4::1.5s", 0, quality=0.7, details={"track": 1}),
    Row("v/other.mp4::2.0s", 0, quality=0.1, details={"track": 1}),
    Row("v/photo.jpg", status="no-face"),
]


@pytest.fixture
def frames(tmp_path):
    path = tmp_path / "frames.csv"
    with open_writer(path, "csv", ["path", "face", "status", "quality", "track"]) as writer:
        writer.write_records(
            {"path": r.path, "face": r.face, "status": r.status, "quality": r.quality, **r.details}
            for r in FRAMES
        )
    return path


def chosen(*arguments, stdin=b""):
    done = fiqa("best", *map(str, arguments), "-f", "csv", "-q", stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[1:]


def test_one_of_each_folder(frames):
    lines = frames.read_bytes().splitlines()
    assert chosen(frames) == [lines[2], lines[6]]
    assert chosen(stdin=frames.read_bytes()) == [lines[2], lines[6]]


def test_frames_lie_apart(frames):
    lines = frames.read_bytes().splitlines()
    assert chosen(frames, "-n", 2, "--by", "video") == [lines[2], lines[3], lines[6]]
    assert chosen(frames, "-n", 2, "--by", "video", "--apart", "1s") == [
        lines[2],
        lines[5],
        lines[6],
    ]


def test_tracks_within_videos(frames):
    lines = frames.read_bytes().splitlines()
    assert chosen(frames, "--by", "video", "--by", "track") == [lines[2], lines[4], lines[6]]


def test_the_folders_of_a_training_set_are_its_identities(tmp_path):
    write_rec(tmp_path / "train.rec", PHOTOS)  # odd records show one person, even ones another
    with open_writer(tmp_path / "scores.csv", "csv") as writer:
        writer.write([Row(f"train.rec::{i}", 0, quality=i / 8) for i in (1, 4, 2, 5, 3)])
    for command in (["best"], ["filter", "--per-folder", "1"]):
        done = fiqa(*command, "scores.csv", "--paths", "-q", cwd=tmp_path)
        assert done.stdout.split() == [b"train.rec::4", b"train.rec::5"]
    (tmp_path / "train.rec").unlink()
    gone = fiqa("best", "scores.csv", cwd=tmp_path)
    assert gone.returncode == 2
    assert b"train.rec does not tell the identity of its record 1 (no such file" in gone.stderr


def test_images_are_copied_as_by_filter(tmp_path):
    rows = [Row(f"{name}/{i}.jpg", 0, quality=i / 8) for name in "ab" for i in range(3)]
    with open_writer(tmp_path / "scores.csv", "csv") as writer:
        writer.write(rows)
    for row in rows:
        (tmp_path / row.path).parent.mkdir(exist_ok=True)
        (tmp_path / row.path).write_text(row.path)
    done = shell("fiqa best scores.csv -n 2 --copy-to best -o best.csv", tmp_path)
    assert done.stderr == b"kept 4 of 6 rows\ncopy: 4 images\n"
    copied = sorted(str(p.relative_to(tmp_path / "best")) for p in tmp_path.glob("best/*/*"))
    assert copied == ["a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"]
    assert (tmp_path / "best.csv.manifest.json").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--by", "person"], b"has no column person"),
        (["--apart", "soon"], b"no number of seconds"),
        (["-n", "0"], b"'-n'"),
        (["--paths", "-f", "csv"], b"leave out"),
    ],
)
def test_usage_errors(frames, arguments, complaint):
    done = fiqa("best", str(frames), *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_photos_have_no_moments(tmp_path):
    with open_writer(tmp_path / "scores.csv", "csv") as writer:
        writer.write([Row("a.jpg", 0, quality=0.5)])
    done = fiqa("best", str(tmp_path / "scores.csv"), "--apart", "1")
    assert done.returncode == 2
    assert b"leave out --apart" in done.stderr
