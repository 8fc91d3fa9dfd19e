from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.sources import video
from fiqa_cli.sources.decode import decode
from fiqa_cli.sources.listing import count, expand
from sources.containers import members, reasons
from sources.videos import HEIGHT, WIDTH, number_in, turn, write_video


def times(*inputs: object, **options: int) -> list[str]:
    names = [entry.path for entry in expand([*map(str, inputs)], **options)]  # type: ignore[arg-type]
    return [name.rpartition("::")[2] for name in names]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mov", "mpeg4"),
        ("a.mkv", "libx264"),
        ("a.webm", "libvpx"),
        ("a.avi", "mpeg4"),
        ("a.ts", "libx264"),
        ("a.mpg", "mpeg2video"),
    ],
)
def test_one_frame_of_each_stretch(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, codec=codec)
    assert times(path) == ["0.000s", "0.500s", "1.000s", "1.500s", "2.000s", "2.500s"]
    found = [number_in(image) for image in members(path).values()]
    assert found == [0, 15, 30, 45, 60, 75]
    assert count([str(path)]) == 6


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (1000, [0, 30, 60]),
        (100, list(range(0, 90, 3))),
        (10_000, [0]),
        (333, [0, 10, 20, 30, 40, 50, 60, 70, 80]),
        (1, list(range(90))),
    ],
)
def test_other_stretches(tmp_path: Path, every: int, expected: list[int]) -> None:
    path = write_video(tmp_path / "a.mp4")
    images = members(path, every=every)
    assert [number_in(image) for image in images.values()] == expected


def test_the_time_is_that_of_the_frame(tmp_path: Path) -> None:
    """29.97 frames a second: none is shown at half a second."""
    path = write_video(tmp_path / "a.mp4", rate=Fraction(30000, 1001))
    assert times(path) == ["0.000s", "0.500s", "1.001s", "1.501s", "2.002s", "2.502s"]
    with av.open(str(path)) as container:
        shown = [float(frame.time) for frame in container.decode(video=0)]
    assert shown[15] == pytest.approx(0.5005, abs=1e-6)
    assert shown[30] == pytest.approx(1.001, abs=1e-6)


def test_a_frame_by_its_time(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4")
    expected = members(path)
    for name, image in reversed(expected.items()):
        assert members(name) == {name: image}
    assert [*map(number_in, members(f"{path}::1.100s").values())] == [33]
    for member in ("1.05s", "9.000s", "-1s", "9" * 40 + "s"):
        assert list(reasons(f"{path}::{member}")) == [f"{path}::{member}"]
    assert reasons(f"{path}::x") == {f"{path}::x": "no such member of a.mp4"}


@pytest.mark.parametrize("gop", [5, 250])
def test_reading_does_not_depend_on_the_order(
    tmp_path: Path, gop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "_REACH", 700)
    path = write_video(tmp_path / "a.mp4", gop=gop)
    entries = list(expand([str(path)], every=100))
    for number in (28, 3, 2, 15, 22, 0, 29, 14):
        place = entries[number].place
        assert place is not None
        assert number_in(place.read()) == 3 * number


@pytest.mark.parametrize(
    ("matrix", "turns"),
    [((1, 0, 0, 1), 0), ((0, 1, -1, 0), 3), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)],
)
def test_frames_are_upright(tmp_path: Path, matrix: tuple[int, int, int, int], turns: int) -> None:
    """The matrix maps stored to shown pixels: a phone held upright stores (0, 1, -1, 0)."""
    path = write_video(tmp_path / "a.mp4", frames=3)
    turn(path, matrix)
    (image,) = members(path).values()
    pixels = decode(image)
    assert pixels.shape == ((HEIGHT, WIDTH, 3) if turns % 2 == 0 else (WIDTH, HEIGHT, 3))
    light = np.zeros((HEIGHT, WIDTH), bool)
    light[:, : WIDTH // 2] = True
    np.testing.assert_array_equal(pixels[:, :, 0] > 128, np.rot90(light, turns))


def test_a_truncated_video_gives_what_is_there_and_one_reason(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", movflags="faststart", gop=10)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    entries = list(expand([str(path)]))
    assert len(entries) >= 3
    assert entries[-1].path == str(path)
    assert entries[-1].reason.startswith("truncated video: ")
    assert entries[-1].reason.endswith(" of 3.000 s can be read")
    for number, entry in enumerate(entries[:-2]):  # the last frame may be cut off
        assert entry.place is not None
        assert number_in(entry.place.read()) == 15 * number


def test_no_video_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    content = write_video(path).read_bytes()
    for broken in (content[: len(content) // 2], b"", b"hello"):  # its index is at its end
        path.write_bytes(broken)
        assert reasons(path) == {str(path): "no video that can be read, or a truncated one"}
    sound = write_video(tmp_path / "sound.mkv", frames=0, sound=2)
    assert reasons(sound) == {str(sound): "no video, only sound or data"}


def test_sound_may_last_longer(tmp_path: Path) -> None:
    """Matroska states how long the longest stream is."""
    path = write_video(tmp_path / "a.mkv", sound=8)
    assert len(members(path)) == 6
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert list(expand([str(path)]))[-1].reason.startswith("truncated video: ")


def test_playlists_open_no_other_file(tmp_path: Path) -> None:
    write_video(tmp_path / "real.ts")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{tmp_path}/real.ts\n#EXT-X-ENDLIST\n"
    for content in (playlist, f"ffconcat version 1.0\nfile {tmp_path}/real.ts\n"):
        (tmp_path / "a.mp4").write_text(content)
        assert list(reasons(tmp_path / "a.mp4")) == [f"{tmp_path}/a.mp4"]


def test_videos_in_folders_are_taken_only_if_a_time_is_given(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    (tmp_path / "b.jpg").write_bytes(b"x")
    assert [entry.path for entry in expand([str(tmp_path)])] == [f"{tmp_path}/b.jpg"]
    assert times(tmp_path, every=1000)[:3] == ["0.000s", "1.000s", "2.000s"]


def test_without_pyav_one_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "find_spec", lambda name: None)
    with pytest.raises(FiqaError, match=r"pip install 'fiqa\[video\]'"):
        expand(["a.mp4"])  # at once
    (tmp_path / "a.mp4").touch()
    (tmp_path / "list").write_text(f"b.jpg\n{tmp_path}/a.mp4\n")
    entries = expand([f"@{tmp_path}/list"])
    assert next(entries).path == "b.jpg"
    with pytest.raises(FiqaError, match="PyAV"):
        next(entries)
