"""The blocks of a bzip2 stream: each begins with a magic, at any bit, and carries its own CRC-32.

So that behind a broken block the next ones can be tested, and the flaw is the block.
"""

import bz2
import re

import numpy as np

from vigie.formats.contract import Effort
from vigie.model import Blob

BLOCK = 0x314159265359
END = 0x177245385090
LONGEST = 2 * 1024 * 1024
"""Bytes that a block may take: 900,000 symbols, hardly compressed."""
STREAM = 64 * 1024 * 1024
"""Bytes of a stream whose blocks are looked for."""
_WINDOW = 1024 * 1024
_PRICE = 8
"""Looking for magics at eight bit offsets costs this a byte."""


def broken_blocks(
    blob: Blob, start: int, end: int, _place: int, effort: Effort
) -> list[tuple[int, int]] | None:
    """The places in `[start, end)` that no intact block takes; nothing where the effort does not reach.

    Raises:
        Unreadable: the blob cannot be read.
    """
    if end - start > STREAM or _PRICE * (end - start) > effort.left:
        return None
    effort.spend(_PRICE * (end - start))
    marks = [*_marks(blob, start, end), end * 8]
    level = blob.at(start, 4)
    broken: list[tuple[int, int]] = []
    for first, following in zip([start * 8, *marks], marks, strict=False):
        begin, stop = first // 8, -(-following // 8)
        if stop - begin <= 14 and (first == start * 8 or following == end * 8):
            continue  # the stream's header before its first block, its end mark behind the last
        if first != start * 8 and effort.left > 0 and _whole(blob, first, following, level, effort):
            continue
        if broken and begin <= broken[-1][1]:
            broken[-1] = (broken[-1][0], stop)
        else:
            broken.append((begin, stop))
    return broken or None


def _marks(blob: Blob, start: int, end: int) -> list[int]:
    """Bits at which a block, or the end of the stream, is marked."""
    found: list[int] = []
    for position in range(start, end, _WINDOW):
        data = np.frombuffer(blob.at(position, min(_WINDOW + 7, end - position)), np.uint8)
        following = np.append(data[1:], np.uint8(0))
        for shift in range(8):
            shifted = ((data << shift) | (following >> (8 - shift)) if shift else data).astype(np.uint8)
            hits = (hit.start() for hit in _MAGIC.finditer(shifted.tobytes()))
            found.extend((position + hit) * 8 + shift for hit in hits if hit < _WINDOW)
    return sorted(found)


_MAGIC = re.compile(b"|".join(re.escape(magic.to_bytes(6, "big")) for magic in (BLOCK, END)))


def _whole(blob: Blob, first: int, following: int, level: bytes, effort: Effort) -> bool:
    """Whether the block between two marks decodes, alone in a stream, with its CRC-32."""
    begin, length = first // 8, -(-following // 8) - first // 8
    if length > LONGEST:
        return False
    value = int.from_bytes(blob.at(begin, length), "big")
    spare = length * 8 - (following - begin * 8)
    bits = following - first
    block = value >> spare & (1 << bits) - 1
    if block >> bits - 48 != BLOCK or bits < 80:
        return False
    # The stream's CRC of one block is that block's.
    crc = block >> bits - 80 & 0xFFFFFFFF
    stream = (block << 48 | END) << 32 | crc
    total = bits + 80
    stream <<= -total % 8
    engine = bz2.BZ2Decompressor()
    try:
        effort.spend(len(engine.decompress(level + stream.to_bytes((total + 7) // 8, "big"))))
    except OSError:
        return False
    return engine.eof
