"""Videos whose frames tell their number, by PyAV."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from sources.containers import pixels_of

HEIGHT, WIDTH = 64, 96
BAR = HEIGHT // 8


def write_video(
    path: Path,
    frames: int = 90,
    rate: Fraction | int = 30,
    codec: str = "libx264",
    *,
    gop: int = 30,
    left: int = 255,
    sound: int = 0,
    **options: str,
) -> Path:
    """Each frame has a plain left half; in the right one bars are the bits of its number.

    With `sound` there are as many seconds of silence, too.
    """
    with av.open(str(path), "w", options=options) as container:
        silence = container.add_stream("pcm_s16le", rate=8000, layout="mono") if sound else None
        if frames:
            stream = container.add_stream(codec, rate=rate)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.gop_size = gop
        for number in range(frames):
            pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
            bits = np.unpackbits(np.uint8(number)).repeat(BAR)
            pixels[:, WIDTH // 2 :] = bits[:, np.newaxis, np.newaxis] * 255
            pixels[:, : WIDTH // 2] = left
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        if frames:
            container.mux(stream.encode())
        for second in range(sound):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 8000, 8000 * second, Fraction(1, 8000)
            container.mux(silence.encode(frame))
    return path


def number_in(image: bytes) -> int:
    """The number that an upright frame shows."""
    right = pixels_of(image)[:, WIDTH // 2 + 8 :, 0]
    return int(np.packbits(right.reshape(8, -1).mean(axis=1) > 128)[0])


def turn(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write a turn into an MP4: a, b, c, d of the matrix in its track header (ISO 14496-12)."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", content, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
