from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_cli.sources import parquet_images
from fiqa_cli.sources.listing import count, expand
from sources.containers import PHOTOS, members, reasons, write_parquet


@pytest.mark.parametrize("group", [1, 4, 100])
@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
@pytest.mark.parametrize("layout", ["img2dataset", "huggingface"])
def test_both_layouts(tmp_path: Path, layout: str, compression: str, group: int) -> None:
    path = tmp_path / "part.parquet"
    options = {"row_group_size": group, "compression": compression}
    write_parquet(path, list(PHOTOS), layout, **options)
    names = [f"{n:09}" for n in range(6)] if layout == "img2dataset" else [*map(str, range(6))]
    expected = {f"{path}::{name}": photo for name, photo in zip(names, PHOTOS, strict=True)}
    assert list(members(path).items()) == list(expected.items())
    assert members(*expected) == expected
    assert count([str(path)]) == 6


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("png", pa.binary()),
        ("webp", pa.large_binary()),
        ("image", pa.large_binary()),
        ("face", pa.struct({"bytes": pa.binary(), "path": pa.string()})),
        ("img", pa.struct({"path": pa.string(), "bytes": pa.large_binary()})),
    ],
)
def test_other_columns(tmp_path: Path, column: str, kind: pa.DataType) -> None:
    values = [{"bytes": p} for p in PHOTOS] if pa.types.is_struct(kind) else PHOTOS
    table = pa.table({"a": pa.array(range(6)), column: pa.array(values, kind)})
    pq.write_table(table, tmp_path / "a.parquet")
    assert list(members(tmp_path / "a.parquet").values()) == PHOTOS


@pytest.mark.parametrize("layout", ["img2dataset", "huggingface"])
def test_rows_without_an_image(tmp_path: Path, layout: str) -> None:
    """img2dataset writes one for each download that failed."""
    path = write_parquet(tmp_path / "a.parquet", [PHOTOS[0], None, b"", PHOTOS[1]], layout)
    assert list(reasons(path).values()) == ["no image in this row"] * 2
    assert len(list(expand([str(path)]))) == 4


def test_a_struct_that_is_null(tmp_path: Path) -> None:
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    column = pa.array([{"bytes": PHOTOS[0]}, None], kind)
    pq.write_table(pa.table({"image": column}), tmp_path / "a.parquet")
    assert reasons(tmp_path / "a.parquet") == {f"{tmp_path}/a.parquet::1": "no image in this row"}


def test_keys_may_repeat_or_lack(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"key": ["x", "x", None], "jpg": PHOTOS[:3]}), path)
    entries = list(expand([str(path)]))
    assert [entry.path for entry in entries] == [f"{path}::x", f"{path}::x", f"{path}::2"]
    assert list(expand([f"{path}::x", f"{path}::2"])) == entries
    assert reasons(f"{path}::y") == {f"{path}::y": "no such member of a.parquet"}


def test_keys_that_are_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"key": ["abcd"], "jpg": PHOTOS[:1]})
    pq.write_table(table, path, compression="none", use_dictionary=False)
    path.write_bytes(path.read_bytes().replace(b"abcd", b"a\xff\xfed"))
    assert members(path) == {f"{path}::a\udcff\udcfed": PHOTOS[0]}


def test_files_of_something_else(tmp_path: Path) -> None:
    """Named they are reported; a search passes over them: img2dataset writes such ones, too."""
    path = tmp_path / "report.parquet"
    pq.write_table(pa.table({"path": ["a.jpg"], "jpg": ["text"]}), path)
    assert list(reasons(path)) == [str(path)]
    assert reasons(path)[str(path)].startswith("no column of images: expected bytes")
    assert list(expand([str(tmp_path)])) == []
    path.write_bytes(path.read_bytes()[:-9])
    assert "truncated" in reasons(path)[str(path)]
    assert list(reasons(tmp_path)) == [str(path)]
    (tmp_path / "report.parquet.manifest.json").write_text("{}")
    assert reasons(tmp_path) == {}  # it is being written by us


def test_more_rows_than_bytes(tmp_path: Path) -> None:
    """A few bytes can claim any number of empty rows."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"jpg": pa.nulls(200_000, pa.binary())}), path)
    assert reasons(path) == {str(path): "broken Parquet file: more rows than bytes"}


def test_memory_does_not_grow_with_a_row_group(tmp_path: Path) -> None:
    """But with a page, which cannot be read in parts."""
    path = tmp_path / "a.parquet"
    images = [bytes([n + 1]) * (1 << 18) for n in range(200)]
    write_parquet(path, images, "huggingface", compression="none", write_batch_size=8)
    entries = list(expand([str(path)]))
    before = pa.total_allocated_bytes()
    peak = 0
    for number, entry in enumerate(entries):
        assert entry.place is not None
        assert entry.place.read() == images[number]
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert peak < 12 << 20 < sum(map(len, images)) / 4


def test_reading_does_not_depend_on_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_images, "ROWS", 2)
    images = [bytes([n + 1]) * 100 for n in range(60)]
    path = write_parquet(tmp_path / "a.parquet", images, "img2dataset", row_group_size=7)
    entries = list(expand([str(path)]))
    for number in (59, 0, 33, 32, 8, 7, 6, 59, 13, 14):
        place = entries[number].place
        assert place is not None
        assert place.read() == images[number]
