"""TIFF 6.0 and BigTIFF: directories, and every strip or tile tested by its compression (`tiff_strips`).

Parsed by hand: whole-slide images have a hundred thousand tiles in files of gigabytes, of which libraries
read what is shown, and stop at the first thing that is broken.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.formats.media.findings import Findings
from vigie.formats.media.tiff_strips import Image, Strips
from vigie.model import Anatomy, Blob, Kind

DIRECTORIES = 1024
"""Directories followed; a scanned file has one a page."""
ENTRIES = 4096
"""Entries of a directory; real ones have some tens."""
VALUES = 1 << 20
"""Values read of one entry: tiles of a slide."""
_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_LITTLE, _BIG = b"II*\0", b"MM\0*"
_LITTLE_LONG, _BIG_LONG = b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"
_SUB, _EXIF, _GPS = 330, 34665, 34853
_WANTED = frozenset((256, 258, 259, 273, 277, 279, 284, 322, 324, 325, _SUB, 339, _EXIF, _GPS))
_OFFSETS, _COUNTS = {273: "strips", 324: "tiles"}, (279, 325)


def recognises(head: bytes) -> bool:
    """Byte order, version, and a first directory behind the header (section 2)."""
    if head.startswith((_LITTLE_LONG, _BIG_LONG)):
        return len(head) >= 16
    if len(head) < 8 or not head.startswith((_LITTLE, _BIG)):
        return False
    return int.from_bytes(head[4:8], "little" if head[0] == 0x49 else "big") >= 8


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Follow the chain of directories, and those below them.

    Raises:
        Malformed: no TIFF header, or no first directory.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 16)
    if not recognises(head):
        raise Malformed(0, "no TIFF header")
    layout = _Layout("<" if head[0] == 0x49 else ">", head[2] == 0x2B or head[3] == 0x2B)
    found = Findings(blob.size)
    found.region(0, 16 if layout.long else 8, Kind.STRUCTURED, "header")
    first = layout.number(head[8:16] if layout.long else head[4:8])
    left = Effort(effort)
    strips = Strips(blob, found, left)
    pending, seen = [first], set[int]()
    if first >= blob.size:  # many programs write it last
        found.flaw(blob.size, blob.size, f"the file ends before its first directory, at byte {first}")
        return found.anatomy("tiff")
    while pending:
        offset = pending.pop()
        if offset in seen:
            continue
        if len(seen) == DIRECTORIES:
            found.note(f"more than {DIRECTORIES} directories: the rest is not tested")
            break
        seen.add(offset)
        try:
            directory = _directory(blob, offset, layout, found, left)
        except Malformed as malformed:
            if offset == first:
                raise
            found.flaw(malformed.offset, min(blob.size, malformed.offset + 12), malformed.what)
            continue
        pending += directory.below
        strips.add(directory.image, directory.offsets, directory.counts)
    strips.test()
    return found.anatomy("tiff")


@dataclass(frozen=True, slots=True)
class _Layout:
    """Byte order, and whether numbers are those of BigTIFF."""

    order: str
    long: bool

    def number(self, raw: bytes) -> int:
        return int.from_bytes(raw, "little" if self.order == "<" else "big")


@dataclass(frozen=True, slots=True)
class _Directory:
    image: Image
    offsets: NDArray[np.uint64]
    counts: NDArray[np.uint64]
    below: list[int]
    """Offsets of further directories: the next one, and those that entries point to."""


def _directory(blob: Blob, offset: int, layout: _Layout, found: Findings, effort: Effort) -> _Directory:
    """Read one directory (section 2, "Image File Directory").

    Raises:
        Malformed: no directory stands there.
    """
    lead, entry, link = (8, 20, 8) if layout.long else (2, 12, 4)
    raw = blob.at(offset, lead)
    count = layout.number(raw)
    if len(raw) < lead:
        raise Malformed(blob.size, f"a directory is said to begin at byte {offset}, behind the end")
    if not 0 < count <= ENTRIES:
        raise Malformed(offset, f"a directory of {count} entries")
    body = blob.at(offset + lead, count * entry + link)
    if len(body) < count * entry:
        raise Malformed(blob.size, "the file ends inside a directory")
    entries = [
        struct.unpack_from(layout.order + ("HHQ8s" if layout.long else "HHI4s"), body, at * entry)
        for at in range(count)
    ]
    strange = [index for index, fields in enumerate(entries) if fields[1] not in _SIZES]
    if len(strange) * 2 > count:
        raise Malformed(offset, "a directory whose entries have no known type")
    for index in strange:
        place = offset + lead + index * entry
        found.flaw(place, place + entry, "a directory entry of no known type")
    found.region(offset, offset + lead + len(body), Kind.STRUCTURED, "directory")
    values = {
        tag: _values(blob, layout, (kind, many, raw), effort)
        for tag, kind, many, raw in entries
        if tag in _WANTED
    }
    below = [layout.number(body[count * entry :])]
    for tag in (_SUB, _EXIF, _GPS):
        below += [int(value) for value in values.get(tag, _NONE)[:DIRECTORIES]]
    for tag, kind, many, raw in entries:
        length = many * _SIZES.get(kind, 0)
        if tag in (*_OFFSETS, *_COUNTS) and length > len(raw) and layout.number(raw) + length > blob.size:
            found.flaw(blob.size, blob.size, "the file ends before the places of its strips")
            break
    offsets = next((values[tag] for tag in _OFFSETS if tag in values), _NONE)
    counts = next((values[tag] for tag in _COUNTS if tag in values), _NONE)
    plain = {tag: int(value[0]) for tag, value in values.items() if value.size}
    samples = plain.get(277, 1) if plain.get(284, 1) == 1 else 1  # in planes of their own
    image = Image(
        compression=plain.get(259, 1),
        bits=plain.get(258, 1),
        integers=plain.get(339, 1) in (1, 2),
        row=(plain.get(322 if 324 in values else 256, 0) * plain.get(258, 1) * samples + 7) // 8,
    )
    return _Directory(image, offsets, counts, [at for at in below if at])


_NONE = np.empty(0, np.uint64)


def _values(blob: Blob, layout: _Layout, entry: tuple[int, int, bytes], effort: Effort) -> NDArray[np.uint64]:
    """The integers of an entry: in it, or where it points to; none if they are not integers, or not there."""
    kind, count, raw = entry
    code = _INTEGERS.get(kind)
    if code is None or not 0 < count <= VALUES:
        return _NONE
    size = count * _SIZES[kind]
    if size > len(raw):
        if effort.left <= 0:
            return _NONE
        effort.spend(size)
    # A value that fits stands in the entry itself.
    data = raw[:size] if size <= len(raw) else blob.at(layout.number(raw), size)
    if len(data) < size:
        return _NONE
    return np.frombuffer(data, layout.order + code).astype(np.uint64)


FORMAT = Format(
    name="tiff",
    title="TIFF image",
    specification="TIFF 6.0 sections 2, 9, 13 to 15, 22; BigTIFF",
    suffixes=("tif", "tiff", "btf", "svs"),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("scn", "ndpi", "dng", "nef", "cr2", "arw"),
)
