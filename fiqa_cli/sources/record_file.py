"""InsightFace's training sets, `train.rec` with `train.idx`: MXNet's RecordIO, without MXNet.

A record is a head of two little-endian 32-bit words, the magic number and the length with a flag
in its upper three bits, then as many bytes, filled up to a multiple of four. A record that holds
the magic number itself is cut there into parts: flag 1 for the first, 2 for those between, 3 for
the last; 0 is a record in one part. Each record begins with an IRHeader: flag, label, id, id2; a
flag above 0 says how many labels follow as 32-bit floats. Then comes the encoded image.
"""

import math
import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from fiqa_cli.sources.entry import Entry, check_size
from fiqa_cli.sources.opening import held, number_in, open_storage, shared
from fiqa_cli.sources.reasons import UnreadableImage
from fiqa_cli.sources.storage import Storage, open_file

_MAGIC = 0xCED7230A
_HEAD = struct.Struct("<II")
_IR_HEADER = struct.Struct("<IfQQ")
_LONGEST_LINE = 100
"""Bytes of a line of an index."""


@dataclass(frozen=True, slots=True)
class Record:
    """The place of an image in a RecordIO file."""

    file: str
    offset: int

    def read(self) -> bytes:
        """See `Place`."""
        _, image = _unpacked(_read_record(shared(open_storage, self.file), self.offset))
        if not image:
            raise UnreadableImage("a record without an image")
        return image


def record_entries(path: str) -> Iterator[Entry]:
    """The images of a RecordIO file, in the order of its index, else of the file.

    Where record 0 says so, as InsightFace's do, only records from 1 to the number that it gives
    are images; those after it are about identities. Without an index (`.idx` beside `.rec`) the
    heads of all records are read. Raises `UnreadableImage` where the file or its index is broken.
    """
    storage = open_storage(path)
    beyond = _first_beyond_images(storage)
    for key, offset in _index(path, storage):
        if beyond is None or 1 <= key < beyond:
            yield Entry(f"{path}::{key}", place=Record(path, offset))


def labelled_entries(path: str) -> Iterator[tuple[Entry, float]]:
    """As `record_entries`, each with its label: in a training set, the number of the identity.

    Of several labels it is the first. Of an image only the header is read.
    """
    storage = open_storage(path)
    for entry in record_entries(path):
        assert isinstance(entry.place, Record)
        label = _label(storage, entry.place.offset)
        if not math.isfinite(label):
            raise UnreadableImage(f"{entry.path}: a label that is no number")
        yield entry, label


def label_of(path: str, key: str) -> float | None:
    """The label of the record of a key, `None` where that record is broken.

    Raises `UnreadableImage` where the file or its index is, and where there is no such record.
    """
    for entry in record_entry(path, key):
        assert isinstance(entry.place, Record)
        try:
            label = _label(shared(open_storage, path), entry.place.offset)
        except UnreadableImage:
            return None
        return label if math.isfinite(label) else None
    raise UnreadableImage(f"no record {key}")


def _label(storage: Storage, offset: int) -> float:
    head = storage.pread(offset, _HEAD.size + _IR_HEADER.size + 4)
    flag, length = _parsed(head[: _HEAD.size])
    # A record in parts may be cut within its header.
    record = _read_record(storage, offset) if flag else head[_HEAD.size :][:length]
    if len(record) < _IR_HEADER.size:
        raise UnreadableImage("broken RecordIO file: a record without a header")
    count, label, *_ = _IR_HEADER.unpack_from(record)
    if count:
        if len(record) < _IR_HEADER.size + 4:
            raise UnreadableImage("broken RecordIO file: a record shorter than its labels")
        (label,) = struct.unpack_from("<f", record, _IR_HEADER.size)
    return float(label)


def record_entry(path: str, key: str) -> Iterator[Entry]:
    """The image of a key, if there is one; raises as `record_entries`."""
    keys, offsets = held(_keys_and_offsets, path)
    number = number_in(key)
    place = bisect_left(keys, number)
    if place < len(keys) and keys[place] == number:
        yield Entry(f"{path}::{key}", place=Record(path, offsets[place]))


def _keys_and_offsets(path: str) -> tuple["array[int]", "array[int]"]:
    """All keys of a file, rising, and where their records begin."""
    keys, offsets = array("q"), array("q")
    rising = True
    for key, offset in _index(path, open_storage(path)):
        rising = rising and (not keys or keys[-1] < key)
        keys.append(key)
        offsets.append(offset)
    if not rising:
        order = sorted(range(len(keys)), key=keys.__getitem__)
        keys, offsets = (array("q", map(each.__getitem__, order)) for each in (keys, offsets))
    return keys, offsets


def _index(path: str, storage: Storage) -> Iterator[tuple[int, int]]:
    """Key and offset of each record."""
    stem, _, _ = path.rpartition(".")
    try:
        index = open_storage(f"{stem}.idx")
    except UnreadableImage:
        return _scanned(storage)
    return _listed(index)


def _listed(index: Storage) -> Iterator[tuple[int, int]]:
    file = open_file(index)
    place = 0
    while line := file.readline(_LONGEST_LINE):
        place += 1
        try:
            key, offset = map(int, line.split(b"\t"))
            if not (0 <= key < 1 << 63 and 0 <= offset < 1 << 63 and line.endswith(b"\n")):
                raise ValueError
        except ValueError as error:
            raise UnreadableImage(f"its .idx is broken or truncated at line {place}") from error
        yield key, offset


def _scanned(storage: Storage) -> Iterator[tuple[int, int]]:
    file = open_file(storage)
    key = 0
    while head := file.read(_HEAD.size):
        offset = file.tell() - len(head)
        flag, length = _parsed(head)
        if flag in (0, 1):
            yield key, offset
            key += 1
        file.seek(-length % 4 + length, 1)
    if storage.size is not None and file.tell() > storage.size:
        raise UnreadableImage("truncated RecordIO file")


def _first_beyond_images(storage: Storage) -> int | None:
    """The number of the first record that is no image any more, if record 0 tells."""
    try:
        labels, image = _unpacked(_read_record(storage, 0))
    except UnreadableImage as error:
        raise UnreadableImage(f"record 0: {error}") from error
    if image or not labels:
        return None
    if not math.isfinite(labels[0]):
        raise UnreadableImage("record 0: broken RecordIO file: no number of images")
    return int(labels[0])


def _read_record(storage: Storage, offset: int) -> bytes:
    record = bytearray()
    inside = False
    while True:
        flag, length = _parsed(storage.pread(offset, _HEAD.size))
        if (flag in (0, 1)) == inside:
            raise UnreadableImage("broken RecordIO file: a part is out of its place")
        if inside:
            record += struct.pack("<I", _MAGIC)
        check_size(len(record) + length)
        part = storage.pread(offset + _HEAD.size, length)
        if len(part) < length:
            raise UnreadableImage("truncated RecordIO file")
        record += part
        if flag in (0, 3):
            return bytes(record)
        inside = True
        offset += _HEAD.size + length + -length % 4


def _parsed(head: bytes) -> tuple[int, int]:
    """Flag and length of the head of a part."""
    if len(head) < _HEAD.size:
        raise UnreadableImage("truncated RecordIO file")
    magic, word = _HEAD.unpack(head)
    if magic != _MAGIC:
        raise UnreadableImage("broken RecordIO file: no record where one should begin")
    return word >> 29, word & (1 << 29) - 1


def _unpacked(record: bytes) -> tuple[tuple[float, ...], bytes]:
    """The further labels of a record, and its image."""
    if len(record) < _IR_HEADER.size:
        raise UnreadableImage("broken RecordIO file: a record without a header")
    count, *_ = _IR_HEADER.unpack_from(record)
    begin = _IR_HEADER.size + 4 * count
    if begin > len(record):
        raise UnreadableImage("broken RecordIO file: a record shorter than its labels")
    return struct.unpack_from(f"<{count}f", record, _IR_HEADER.size), record[begin:]
