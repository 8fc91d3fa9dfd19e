"""TIFF files that are made to harm."""

from collections.abc import Iterator

from hostile.exif import Entry, exifs, tiff

WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES = 256, 257, 258, 259, 262, 277
OFFSETS, ROWS, COUNTS, TILE_WIDTH, TILE_LENGTH, TILES, TILE_COUNTS = (
    273,
    278,
    279,
    322,
    323,
    324,
    325,
)
MOST = 0xFFFFFFFF


def grey(width: int = 48, height: int = 40, **changed: int) -> list[Entry]:
    values = {
        "width": width, "length": height, "bits": 8, "compression": 1, "photometric": 1,
        "offsets": 200, "samples": 1, "rows": height, "counts": width * height,
    } | changed  # fmt: skip
    tags = (WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, OFFSETS, SAMPLES, ROWS, COUNTS)
    return [(tag, 4, 1, value & MOST) for tag, value in zip(tags, values.values(), strict=True)]


def tiled(width: int, height: int, tile: int, count: int = 1) -> list[Entry]:
    kept = [entry for entry in grey(width, height) if entry[0] not in (OFFSETS, ROWS, COUNTS)]
    tiles = [(TILE_WIDTH, 4, 1, tile), (TILE_LENGTH, 4, 1, tile)]
    return [*kept, *tiles, (TILES, 4, count, 200), (TILE_COUNTS, 4, count, 200)]


def tiffs() -> Iterator[tuple[str, bytes]]:
    pixels = bytes(4000)
    for width, height in (
        (0, 0), (0, 40), (48, 0), (MOST, MOST), (MOST, 1), (1, MOST), (13_000, 13_000), (16,
        11_000_000),
        (0x80000000, 0x80000000),
    ):  # fmt: skip
        yield f"declared-{width}x{height}", tiff(grey(width, height), data=pixels)
    for compression in (0, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34712, 34925, 50000, 50001, MOST):
        yield f"compression-{compression}", tiff(grey(compression=compression), data=pixels)
        large = grey(13_000, 13_000, compression=compression, counts=4000)
        yield f"large-compression-{compression}", tiff(large, data=pixels)
    for bits in (0, 1, 2, 12, 16, 32, 64, MOST):
        yield f"bits-{bits}", tiff(grey(bits=bits), data=pixels)
    for samples in (0, 2, 3, 4, 5, 255, 65535):
        yield f"samples-{samples}", tiff(grey(samples=samples), data=pixels)
    for photometric in (0, 2, 3, 5, 6, 8, 32844, MOST):
        yield f"photometric-{photometric}", tiff(grey(photometric=photometric), data=pixels)
    for rows in (0, 1, 7, MOST):
        yield f"rows-{rows}", tiff(grey(rows=rows), data=pixels)
    for offset in (0, 8, 199, MOST):
        yield f"offset-{offset}", tiff(grey(offsets=offset), data=pixels)
    for tile in (0, 1, 15, 65536, 1 << 30, MOST):
        yield f"tile-{tile}", tiff(tiled(48, 40, tile), data=pixels)
        yield f"tiles-{tile}", tiff(tiled(13_000, 13_000, tile, 1 << 20), data=pixels)
    yield "chain-to-itself", tiff(grey(), following=8, data=pixels)
    yield "chain-beyond", tiff(grey(), following=MOST, data=pixels)
    yield "strips-many", tiff([*grey(), (OFFSETS, 4, 1 << 28, 8), (COUNTS, 4, 1 << 28, 8)])
    for name, exif in exifs():
        yield f"directory-{name}", exif
