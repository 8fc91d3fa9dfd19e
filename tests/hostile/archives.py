"""Tar files that are made to harm."""

import gzip
import tarfile
from collections.abc import Iterator

from hostile.names import NAMES
from hostile.seeds import seeds

BLOCK = 512


def member(name: str, content: bytes = b"", **changed: object) -> bytes:
    """Its header, changed, and its blocks."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in changed.items():
        setattr(info, field, value)
    head = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
    return head + content + bytes(-len(content) % BLOCK)


def raw(name: bytes, size: bytes, kind: bytes = b"0", link: bytes = b"") -> bytes:
    """A header with any bytes for a size."""
    head = name[:100].ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2
    head += size.ljust(12, b"\0")[:12] + b"00000000000\0"
    rest = kind + link[:100].ljust(100, b"\0") + b"ustar\x0000" + bytes(247)
    total = sum(head) + sum(rest) + 8 * 32
    return head + b"%06o\0 " % total + rest


def tars() -> Iterator[tuple[str, bytes]]:
    """By name; those that end in `.gz` are packed."""
    photo = seeds()["jpeg"][1]
    end = bytes(2 * BLOCK)
    good = member("good.jpg", photo)
    for number, name in enumerate(
        ("/etc/a.jpg", "../../a.jpg", "a/../../b.jpg", "./a.jpg", "//a.jpg")
    ):
        yield f"name-{number}.tar", member(name, photo) + good + end
    odd = [name.decode("utf-8", "surrogateescape") for name in NAMES]
    yield "names.tar", b"".join(member(name, photo) for name in odd) + end
    yield "twice.tar", good * 5 + end
    for kind in b"1234567DKLMNSVXgx\0Z\xff":
        yield (
            f"kind-{kind}.tar",
            member("a.jpg", type=bytes([kind]), linkname="/etc/passwd") + good + end,
        )
        yield f"kind-{kind}-full.tar", member("a.jpg", photo, type=bytes([kind])) + good + end
    sizes = (
        b"77777777777",
        b"-1",
        b"9999999",
        b"\x80" + b"\xff" * 11,
        b"\xff" * 12,
        b"\x80" + bytes(11),
    )
    for number, size in enumerate((*sizes, b"", b" ", b"\0" * 12, b"0x10", b"1e9")):
        for kind in (b"0", b"x", b"g", b"L", b"S", b"5"):
            lies = raw(b"lies.jpg", size, kind)
            yield f"size-{number}-{kind.decode()}.tar", lies + photo + bytes(99) + good + end
    yield "link-to-itself.tar", member("a.jpg", type=b"2", linkname="a.jpg") + good + end
    yield "link-to-later.tar", member("a.jpg", type=b"1", linkname="good.jpg") + good + end
    for record in (
        b"999999 path=a.jpg\n",
        b"0 x=y\n",
        b"-5 path=a\n",
        b"20 size=99999999999\n",
        b"\xff" * 600,
    ):
        yield f"pax-{len(record)}-{record[0]}.tar", member("p", record, type=b"x") + good + end
    yield "pax-many.tar", member("p", b"13 path=a.jpg\n", type=b"x") * 5_000 + good + end
    sparse = b"".join(b"%d GNU.sparse.numbytes=%d\n" % (28, n % 10) for n in range(2_000))
    yield "pax-sparse.tar", member("p", sparse, type=b"x") + good + end
    yield "long-names.tar", member("x", b"y" * 5_000 + b".jpg", type=b"L") * 50 + good + end
    yield "no-end.tar", good
    yield "one-zero-block.tar", good + bytes(BLOCK) + good + end
    yield "after-the-end.tar", good + end + b"x" * 5_000
    yield "wrong-checksum.tar", b"b" + good[1:] + good + end
    yield "nothing.tar", b""
    yield "zeros.tar", bytes(50 * BLOCK)
    yield "called-a-tar.tar", photo
    nested = good + end
    for _ in range(10):
        nested = member("nested.tar", nested) + good + end
    yield "nested.tar", nested
    whole = good * 2 + end
    for cut in range(0, len(whole), 100):
        yield f"cut-{cut}.tar", whole[:cut]
    yield "bomb.tar.gz", gzip.compress(member("bomb.jpg", bytes(300 << 20)), 9, mtime=0)
    yield "gzip-in-gzip.tar.gz", gzip.compress(gzip.compress(whole, mtime=0), mtime=0)
    yield "cut.tar.gz", gzip.compress(whole, mtime=0)[:-20]
    yield "lies.tar.gz", gzip.compress(whole, mtime=0)[:-4] + b"\xff" * 4
    yield "then-more.tar.gz", gzip.compress(whole, mtime=0) + b"no gzip"
