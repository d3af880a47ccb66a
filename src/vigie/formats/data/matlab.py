"""MATLAB files of level 5 (.mat; level 7.3 is HDF5): the elements, and the deflate streams in them.

By hand: every element says how long it is, and zlib verifies what is compressed.
"""

import struct
import zlib

from vigie.formats.contract import EFFORT, Cursor, Effort, Format, Malformed
from vigie.formats.data import pages
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

_HEADER = 128
_COMPRESSED, _TYPES = 15, 18
_STEP, _SPAN = 4096, 1 << 20
"""Bytes taken at once, so that what cannot be is found in its block; and bytes made of them at once."""
_MOST = 4096
"""Elements that are looked at."""


def recognises(head: bytes) -> bool:
    """116 bytes of words, version 1.0, and "MI" or "IM" for the order of bytes."""
    text = head[:116]
    words = head[:4].isalpha() and not any(byte < 0x20 and byte not in b"\0\t\n\r" for byte in text)
    return len(head) >= _HEADER and words and head[124:128] in (b"\0\1IM", b"\1\0MI")


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The header's words, and the elements behind it.

    Raises:
        Malformed: no header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, _HEADER)
    if not recognises(head):
        raise Malformed(0, "no header of a MATLAB file")
    order = "<" if head[126:] == b"IM" else ">"
    budget = Effort(effort)
    regions = [Region(0, _HEADER, Kind.STRUCTURED, "header")]
    flaws: list[Flaw] = []
    place, checked = _HEADER, 0
    for _ in range(_MOST):
        if blob.size - place < 8 or budget.left <= 0:
            break
        kind, length = struct.unpack(f"{order}LL", blob.at(place, 8))
        if not 0 < kind <= _TYPES or length > blob.size - place - 8:
            regions.append(Region(place, blob.size, Kind.STRUCTURED, "where an element must be"))
            flaws.append(Flaw(place, blob.size, "no element where one must be"))
            break
        start = place + 8
        if kind == _COMPRESSED:
            regions.append(Region(start, start + length, Kind.CODED, "compressed element"))
            broken = _inflate(blob, start, start + length, budget)
            checked += 0 if broken else length
            flaws.extend(broken)
            place = start + length
        else:
            place = start + -(-length // 8) * 8
    notes = ("too large to look at every element",) if budget.left <= 0 else ()
    return Anatomy("matlab", tuple(regions), tuple(flaws), checked, notes)


def _inflate(blob: Blob, start: int, end: int, budget: Effort) -> list[Flaw]:
    """What is wrong with a zlib stream."""
    stream = zlib.decompressobj()
    cursor = Cursor(blob, start)
    while cursor.offset < end and budget.left > 0:
        place = cursor.offset
        data = cursor.take(min(_STEP - place % _STEP, end - place), "a compressed element")
        try:
            while data and not stream.eof:
                budget.spend(len(stream.decompress(data, _SPAN)))
                data = stream.unconsumed_tail
                if budget.left <= 0:
                    return []
        except zlib.error:
            what = "a compressed element that cannot be"
            return [Flaw(low, high, what, checksum=True) for low, high in pages.blocks(place, end, 1 << 18)]
    return []


FORMAT = Format(
    name="matlab",
    title="MATLAB file, level 5",
    specification="MATLAB MAT-File Format, Level 5",
    suffixes=(),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("mat",),
)
