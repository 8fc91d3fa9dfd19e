"""Whole files, broken: cut off, bits turned, bytes replaced, parts repeated, dropped or joined."""

import random
from collections.abc import Iterator

from hostile.seeds import parts, seeds


def truncations() -> Iterator[tuple[str, bytes]]:
    """Every kind of file, cut before, within and behind the head of each of its parts."""
    for name, (extension, content) in seeds().items():
        cuts = {cut for part in parts(content) for cut in (part, part + 1, part + 4, part + 9)}
        for cut in sorted(cuts | {1, 3, len(content) // 2, len(content) - 1}):
            if 0 < cut < len(content):
                yield f"{name}-cut-{cut}.{extension}", content[:cut]


def mutations(dice: random.Random) -> Iterator[tuple[str, bytes]]:
    """Without end: any seed, broken at random."""
    files = list(seeds().items())
    number = 0
    while True:
        name, (extension, content) = dice.choice(files)
        yield f"{name}-broken-{number}.{extension}", broken(content, dice)
        number += 1


def broken(content: bytes, dice: random.Random) -> bytes:
    """`content`, changed at one to twenty places."""
    changed = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 5, 20))):
        changed = dice.choice(_WAYS)(changed, dice)
    return bytes(changed)


def _place(content: bytearray, dice: random.Random) -> int:
    """Anywhere, but often within the first 80 bytes: heads harm more than pixels."""
    most = len(content) if dice.random() < 0.7 else min(len(content), 80)
    return dice.randrange(max(most, 1))


def _turn_bit(content: bytearray, dice: random.Random) -> bytearray:
    if content:
        content[_place(content, dice)] ^= 1 << dice.randrange(8)
    return content


def _replace(content: bytearray, dice: random.Random) -> bytearray:
    at = _place(content, dice)
    value = dice.choice(
        (b"\0", b"\xff", b"\x7f\xff", b"\xff" * 4, b"\0" * 4, b"\x80\0\0\0", b"\x01")
    )
    content[at : at + len(value)] = value
    return content


def _drop(content: bytearray, dice: random.Random) -> bytearray:
    at = _place(content, dice)
    del content[at : at + dice.choice((1, 2, 8, 100))]
    return content


def _repeat(content: bytearray, dice: random.Random) -> bytearray:
    at = _place(content, dice)
    piece = content[at : at + dice.choice((1, 4, 12, 200))]
    content[at:at] = piece * dice.choice((1, 2, 50))
    return content


def _cut(content: bytearray, dice: random.Random) -> bytearray:
    return content[: dice.randrange(1, len(content))] if len(content) > 1 else content


_WAYS = (_turn_bit, _turn_bit, _replace, _replace, _drop, _repeat, _cut)
