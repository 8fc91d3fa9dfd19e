"""Files that hang, eat memory or crash the decoder cost themselves, and nothing else."""

import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.sources import isolation
from fiqa_cli.sources.decode import decode, decode_reduced
from fiqa_cli.sources.decode_process import HEADER
from fiqa_cli.sources.isolation import IsolatedDecoder, Limits
from fiqa_cli.sources.reasons import UnreadableImage
from hostile.jpeg import scans
from hostile.png import image
from processes import children, is_alive
from sources.pictures import PICTURE, encoded

SLOW = scans(2_000, 2_000, 100_000)
"""Minutes."""


@pytest.fixture
def decoder() -> Iterator[IsolatedDecoder]:
    decoder = IsolatedDecoder(Limits(seconds=30))
    yield decoder
    decoder.stop()


@pytest.fixture
def fine(tmp_path: Path) -> str:
    (tmp_path / "fine.png").write_bytes(encoded(PICTURE, "PNG"))
    return str(tmp_path / "fine.png")


@pytest.fixture
def slow(tmp_path: Path) -> str:
    (tmp_path / "slow.jpg").write_bytes(SLOW)
    return str(tmp_path / "slow.jpg")


def pixels(decoder: IsolatedDecoder, image: str | bytes) -> np.ndarray:
    return decoder.decode_reduced(image, None).pixels


def why_not(decoder: IsolatedDecoder, path: str) -> str:
    with pytest.raises(UnreadableImage) as caught:
        pixels(decoder, path)
    return str(caught.value)


def test_same_pixels_and_reasons_as_without(
    decoder: IsolatedDecoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = np.random.default_rng(0).integers(0, 256, (900, 1100, 3), np.uint8)
    for name, content in (("a.png", encoded(PICTURE, "PNG")), ("b.jpg", encoded(large, "JPEG"))):
        (tmp_path / name).write_bytes(content)
        for given, at_least in ((str(tmp_path / name), None), (content, None), (content, 400)):
            expected = decode_reduced(given, at_least)
            found = decoder.decode_reduced(given, at_least)
            assert np.array_equal(found.pixels, expected.pixels)
            size = (expected.width, expected.height, expected.reduction)
            assert (found.width, found.height, found.reduction) == size
    assert found.reduction == 2
    odd = os.fsdecode(b"line\nfeed \xff.jpg")
    monkeypatch.chdir(tmp_path)  # the process was started elsewhere
    Path(odd).write_bytes(encoded(PICTURE, "JPEG"))
    assert pixels(decoder, odd).shape == PICTURE.shape
    for path in ("", b"", b"no image", "none.jpg", "a\0b", "\ud800", str(tmp_path), "/dev/zero"):
        with pytest.raises(UnreadableImage) as caught:
            decode(path)
        assert why_not(decoder, path) == str(caught.value)


def test_threads_share_processes_until_each_has_its_own(fine: str) -> None:
    decoder = IsolatedDecoder(Limits())
    before = len(children(os.getpid()))
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(partial(pixels, decoder), [fine] * 400):
            assert found.shape == PICTURE.shape
    assert len(children(os.getpid())) <= before + 4


def test_no_thread_waits_for_the_image_of_another(fine: str, slow: str) -> None:
    """However they fall in with each other."""
    for _ in range(5):
        decoder = IsolatedDecoder(Limits(seconds=20))
        pixels(decoder, fine)  # one process is ready
        together = threading.Barrier(2)

        def hang(
            decoder: IsolatedDecoder = decoder, together: threading.Barrier = together
        ) -> None:
            together.wait()
            why_not(decoder, slow)

        thread = threading.Thread(target=hang)
        thread.start()
        together.wait()
        assert pixels(decoder, fine).shape == PICTURE.shape
        assert thread.is_alive()
        decoder.stop()
        thread.join()


def test_a_decode_that_does_not_end_is_ended(slow: str, fine: str) -> None:
    decoder = IsolatedDecoder(Limits(seconds=0.3))
    assert why_not(decoder, slow) == "took longer than 0.3 s to decode"
    assert pixels(decoder, fine).shape == PICTURE.shape


def test_a_decode_that_eats_memory_is_ended(fine: str, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(image(13_000, 13_000, b""))
    decoder = IsolatedDecoder(Limits(gigabytes=0.5))
    assert why_not(decoder, str(bomb)) == "needs more than 0.5 GB to decode"
    assert pixels(decoder, fine).shape == PICTURE.shape


DYING = """
import os, sys, time
from fiqa_cli.sources import decode_process
plain = decode_process.decode_reduced
def decode(path, at_least):
    name = os.path.basename(path)
    if name.isdigit():
        os.kill(os.getpid(), int(name))
    if name == "once" and not os.path.exists(path):
        open(path, "w").write("no image")
        os.kill(os.getpid(), 9)
    if name == "disk":
        time.sleep(60)
    if name == "exit":
        sys.exit(3)
    return plain(path, at_least)
decode_process.decode_reduced = decode
decode_process.main()
"""


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> IsolatedDecoder:
    """A decoder that dies of the signal that an image is called."""
    monkeypatch.setattr(isolation, "_COMMAND", ("-P", "-c", DYING))
    return IsolatedDecoder(Limits(seconds=30))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("11", "the decoder crashed (signal 11)"),
        ("6", "the decoder crashed (signal 6)"),
        ("exit", "the decoder crashed (exit code 3)"),
        ("9", "the decoder was killed twice (signal 9): is memory short?"),
    ],
)
def test_a_decoder_that_dies_is_replaced(
    dying: IsolatedDecoder, fine: str, tmp_path: Path, name: str, reason: str
) -> None:
    assert why_not(dying, str(tmp_path / name)) == reason
    assert pixels(dying, fine).shape == PICTURE.shape


def test_an_image_whose_decoder_was_killed_gets_another_chance(
    dying: IsolatedDecoder, tmp_path: Path
) -> None:
    """As the kernel does where memory runs out; it may have meant another process."""
    assert why_not(dying, str(tmp_path / "once")) == "not an image of a supported format"


def test_a_disk_that_hangs_costs_one_row(
    dying: IsolatedDecoder, fine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It uses no processor time."""
    pixels(dying, fine)
    monkeypatch.setattr(isolation, "PATIENCE", 1 / 30)
    monkeypatch.setattr(isolation, "LEAST_PATIENCE", 1)
    assert why_not(dying, str(tmp_path / "disk")).startswith("gave nothing in time")
    monkeypatch.undo()
    monkeypatch.setattr(isolation, "_COMMAND", ("-P", "-c", DYING))
    assert pixels(dying, fine).shape == PICTURE.shape


def test_a_decoder_that_cannot_start_is_told(fine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_COMMAND", ("-c", "raise SystemExit(1)"))
    with pytest.raises(FiqaError, match="does not start"):
        pixels(IsolatedDecoder(Limits()), fine)
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(FiqaError, match="cannot start a process"):
        pixels(IsolatedDecoder(Limits()), fine)


def test_a_run_that_stops_waits_for_no_image(decoder: IsolatedDecoder, slow: str) -> None:
    reasons: list[str] = []
    thread = threading.Thread(target=lambda: reasons.append(why_not(decoder, slow)))
    thread.start()
    time.sleep(0.5)
    begun = time.monotonic()
    decoder.stop()
    thread.join(10)
    assert reasons == ["not decoded: the run ended before"]
    assert time.monotonic() - begun < 5


RUN = """
import sys, threading, time
from fiqa_cli.sources.isolation import IsolatedDecoder, Limits
from fiqa_cli.sources.reasons import UnreadableImage
decoder = IsolatedDecoder(Limits(seconds=1))
decoder.decode_reduced(sys.argv[1], None)
for path in sys.argv[1:]:
    threading.Thread(target=decoder.decode_reduced, args=(path, None), daemon=True).start()
time.sleep(0.3)
print("ready", flush=True)
time.sleep(60)
"""


def test_no_process_is_left_when_the_run_is_killed(fine: str, slow: str) -> None:
    command = [sys.executable, "-c", RUN, fine, slow]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        left = children(run.pid)
        run.kill()
    assert left
    until = time.monotonic() + 30
    while time.monotonic() < until and any(map(is_alive, left)):
        time.sleep(0.05)
    assert not any(map(is_alive, left))


def test_no_process_is_left_when_the_decoder_has_gone(fine: str) -> None:
    before = children(os.getpid())
    decoder = IsolatedDecoder(Limits())
    pixels(decoder, fine)
    started = children(os.getpid()) - before
    assert started
    del decoder
    assert not any(map(is_alive, started))


def test_modules_of_the_current_folder_are_not_imported(
    fine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("numpy", "PIL", "pickle", "fiqa_cli"):
        (tmp_path / f"{name}.py").write_text(f"open('{tmp_path}/imported', 'w')")
    monkeypatch.chdir(tmp_path)
    assert pixels(IsolatedDecoder(Limits()), fine).shape == PICTURE.shape
    assert not (tmp_path / "imported").exists()


def test_what_libraries_print_is_not_taken_for_pixels(fine: str) -> None:
    code = (
        "import os, sys; from fiqa_cli.sources import decode_process as p;"
        "plain = p.decode_reduced\n"
        "def decode(*given): os.write(1, b'noise'); os.write(2, b'noise'); return plain(*given)\n"
        "p.decode_reduced = decode; p.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps((fine, None, 10.0, 2.0)),
        capture_output=True,
        check=True,
    )
    assert done.stdout[:1] == b"+"
    assert len(done.stdout) == 1 + HEADER.size + PICTURE.size
