"""Videos: one image from each stretch of time, through PyAV (FFmpeg)."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from importlib.util import find_spec
from io import BytesIO
from itertools import chain
from typing import Any

from fiqa_cli.errors import FiqaError
from fiqa_cli.sources.entry import Entry
from fiqa_cli.sources.opening import held, open_storage
from fiqa_cli.sources.reasons import UnreadableImage
from fiqa_cli.sources.reel import Items, Reel
from fiqa_cli.sources.storage import open_file

VIDEOS = {
    ".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts",
    ".m2ts", ".flv", ".wmv",
}  # fmt: skip
"""What marks a video, in any case."""

EVERY = 500
"""Milliseconds from which one frame is taken, unless another number is given."""

_REACH = 10_000
"""Milliseconds; to go on further ahead, the decoder jumps instead of decoding what is between."""

_MISSING = 1000
"""Milliseconds of a video's stated length that may lack at its end before that is reported."""

# Playlists would have FFmpeg open other files and addresses that the file names.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,asf"


@dataclass(frozen=True, slots=True)
class Frame:
    """The place of the first frame of a stretch of a video."""

    file: str
    number: int
    """Of the stretch, from 0."""
    every: int
    """Milliseconds that a stretch lasts."""

    def read(self) -> bytes:
        """The frame as BMP: see `Place`."""
        try:
            image = held(_reel, self.file, self.every).take(self.number)
        except KeyError:
            image = b""
        if not image:
            raise UnreadableImage("this frame cannot be decoded")
        return image


def check_player() -> None:
    """Raise `FiqaError` if PyAV is not installed."""
    if find_spec("av") is None:
        raise FiqaError("videos need PyAV, which is not installed: pip install 'fiqa[video]'")


def video_entries(path: str, every: int) -> Iterator[Entry]:
    """The first frame of each `every` milliseconds of a video, called by its time: `12.500s`.

    Time counts from the first frame. Nothing is decoded yet. Raises `UnreadableImage` where the
    video is broken or cut off.
    """
    container, stream = _open(path)
    latest, last, furthest = -1, 0, 0
    with container:
        for time, reached in _shown(container, stream):
            last, furthest = time, reached
            if time // every > latest:
                latest = time // every
                yield Entry(f"{path}::{time / 1000:.3f}s", place=Frame(path, latest, every))
        length, seen = int((stream.duration or 0) * stream.time_base * 1000), last
        if not length:  # then perhaps that of the longest stream, which may be sound
            length, seen = int((container.duration or 0) / 1000), furthest
    if length > seen + max(every, _MISSING):
        raise UnreadableImage(
            f"truncated video: {last / 1000:.3f} of {length / 1000:.3f} s can be read"
        )


def frame_entry(path: str, member: str) -> Iterator[Entry]:
    """The frame at a time such as `12.500s`, whatever others were taken."""
    seconds, _, fraction = member.removesuffix("s").partition(".")
    digits = f"{seconds}{fraction:0<3}"
    if member.endswith("s") and len(fraction) <= 3 and digits.isascii() and digits.isdigit():
        yield Entry(f"{path}::{member}", place=Frame(path, int(digits), 1))


def _open(path: str) -> tuple[Any, Any]:
    """A video that is open, and its stream of pictures."""
    import av

    from fiqa_cli.sources.decode import MAX_PIXELS

    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "none"}
    try:
        container = av.open(
            open_file(open_storage(path)), options=options, metadata_errors="ignore"
        )
        stream: Any = container.streams.best("video")
        if stream is None or not stream.time_base:
            raise UnreadableImage("no video, only sound or data")
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        stream.thread_type = "AUTO"
    except UnreadableImage:
        raise
    except Exception as error:
        raise UnreadableImage("no video that can be read, or a truncated one") from error
    return container, stream


def _reel(path: str, every: int) -> Reel:
    ahead = max(1, _REACH // every)
    return Reel(partial(_play, path, every), lambda number: number // ahead * ahead, ahead - 1)


def _play(path: str, every: int, start: int) -> Items:
    """The frames that are the first of their stretch, with its number."""
    container, stream = _open(path)
    with container:
        frames = _frames(container, stream, start * every)
        if start and (first := next(frames, None)):
            if first[0] > start * every:
                # The jump went too far: an earlier frame may be the first of its stretch.
                container, stream = _open(path)
                frames = _frames(container, stream, 0)
            else:
                frames = chain([first], frames)
        latest = -1
        for time, frame in frames:
            number = time // every
            if number > latest and number >= start:
                yield number, _bmp(frame)
            latest = max(latest, number)


def _frames(container: Any, stream: Any, begin: int) -> Iterator[tuple[int, Any]]:
    """Frames with their time in milliseconds, from one shown at or before `begin` on."""
    if begin:
        ticks = int(begin / 1000 / stream.time_base)
        with suppress(Exception):  # not all files can be sought: then from the beginning
            container.seek(ticks + (stream.start_time or 0), stream=stream)
    for packet in _packets(container.demux(stream)):
        with suppress(Exception):  # the next packets may be whole
            for frame in packet.decode():
                time = _milliseconds(frame.pts, stream)
                if time is not None and time >= 0:
                    yield time, frame


def _shown(container: Any, stream: Any) -> Iterator[tuple[int, int]]:
    """The times of all frames in milliseconds, rising, without decoding any.

    With each the furthest time that any stream of the file, of sound too, has come to.
    """
    waiting: list[int] = []
    reached = 0
    for packet in _packets(container.demux()):
        shown, decoded = (_milliseconds(ticks, packet.stream) for ticks in (packet.pts, packet.dts))
        time = decoded if shown is None else shown
        if time is None or time < 0 or packet.is_discard:
            continue
        reached = max(reached, time)
        if packet.stream is not stream:
            continue
        heappush(waiting, time)
        # No frame is shown before it is decoded: those that come later are shown later.
        while decoded is not None and waiting and waiting[0] < decoded:
            yield heappop(waiting), reached
    for time in sorted(waiting):
        yield time, reached


def _packets(packets: Iterator[Any]) -> Iterator[Any]:
    """Packets up to their end, or to where the file is broken."""
    while True:
        try:
            packet = next(packets, None)
        except UnreadableImage:
            raise
        except Exception:
            return
        if packet is None:
            return
        yield packet


def _milliseconds(ticks: int | None, stream: Any) -> int | None:
    """Time since the beginning of the stream."""
    if ticks is None:
        return None
    return int((ticks - (stream.start_time or 0)) * stream.time_base * 1000)


def _bmp(frame: Any) -> bytes:
    """A frame as it is to be shown, in the form of an image file."""
    import numpy as np
    from PIL import Image

    try:
        pixels = frame.to_ndarray(format="rgb24")
    except Exception:  # of a form that cannot be converted: as good as none
        return b""
    turned = np.rot90(pixels, round(frame.rotation / 90))
    stream = BytesIO()
    Image.fromarray(np.ascontiguousarray(turned)).save(stream, "BMP")
    return stream.getvalue()
