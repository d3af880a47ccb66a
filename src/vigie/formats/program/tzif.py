"""Time zone tables (RFC 9636): counts, transitions in rising order, types within bounds, the footer."""

import struct

import numpy as np

from vigie.formats.contract import EFFORT, Cursor, Format
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

_HEADER = struct.Struct(">4sc15s6L")
_MOST = 1 << 20
"""No count is larger; tzcode itself stops at 2,000 transitions."""


def recognises(head: bytes) -> bool:
    """Magic, version, reserved zeros, counts that fit together (section 3.1)."""
    return _counts(head) is not None


def _counts(head: bytes) -> tuple[int, ...] | None:
    if len(head) < _HEADER.size or not head.startswith(b"TZif"):
        return None
    _, version, reserved, *counts = _HEADER.unpack_from(head)
    utc, standard, _, _, types, characters = counts
    if version not in b"\x00234" or any(reserved) or max(counts) > _MOST:
        return None
    if utc not in (0, types) or standard not in (0, types) or not types or not characters:
        return None
    return tuple(counts)


def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """One block of four-byte times and, from version 2 on, one of eight-byte times and a footer.

    Raises:
        Malformed: no header, or no footer where one must stand.
        Unreadable: the blob cannot be read.
    """
    cursor = Cursor(blob)
    regions: list[Region] = []
    flaws: list[Flaw] = []
    version = blob.at(4, 1)
    whole = _block(cursor, 4, regions, flaws)
    if whole and version != b"\0":
        # Four-byte times end in 2038; the same once more, and further, in eight bytes.
        whole = bool(cursor.left) and _block(cursor, 8, regions, flaws)
        start = cursor.offset
        footer = cursor.peek(4096)
        if whole and footer and footer[:1] != b"\n":
            cursor.fail("no footer")
        whole = whole and b"\n" in footer[1:]
        if whole:
            cursor.skip(footer.index(b"\n", 1) + 1, "the footer")
            regions.append(Region(start, cursor.offset, Kind.STRUCTURED, "footer"))
    if not whole:
        flaws.append(Flaw(blob.size, blob.size, "the file ends before its tables do"))
        return Anatomy("tzif", tuple(regions), tuple(flaws))
    notes = (f"{cursor.left} bytes behind the table",) if cursor.left else ()
    return Anatomy("tzif", tuple(regions), tuple(flaws), 0, notes)


def _block(cursor: Cursor, width: int, regions: list[Region], flaws: list[Flaw]) -> bool:
    """Header and data of one block (section 3.2), or False where the file ends in it.

    Times that rise steadily may look random.
    """
    begin = cursor.offset
    head = cursor.peek(_HEADER.size)
    counts = _counts(head)
    if counts is None:
        if begin and len(head) < _HEADER.size:
            return False
        cursor.fail("no header of a time zone table")
    cursor.skip(_HEADER.size, "the header")
    utc, standard, leaps, transitions, types, characters = counts
    regions.append(Region(begin, cursor.offset, Kind.STRUCTURED, "header"))
    length = transitions * (width + 1) + 6 * types + characters + leaps * (width + 4) + standard + utc
    if length > cursor.left:
        return False
    start = cursor.offset
    times = np.frombuffer(cursor.take(transitions * width, "the transitions"), f">i{width}").astype(np.int64)
    if transitions:
        regions.append(Region(start, cursor.offset, Kind.CODED, "times of transition"))
    falling = np.flatnonzero(times[1:] < times[:-1])
    if falling.size:
        first, last = int(falling[0]), int(falling[-1]) + 2
        flaws.append(Flaw(start + first * width, start + last * width, "transitions out of order"))
    start = cursor.offset
    kinds = cursor.take(transitions, "the types of transitions")
    if max(kinds, default=0) >= types:
        flaws.append(Flaw(start, cursor.offset, "a transition to a type that does not exist"))
    place = cursor.offset
    records = cursor.take(6 * types, "the types")
    if max(records[5::6]) >= characters or max(records[4::6]) > 1:
        flaws.append(Flaw(place, cursor.offset, "an impossible type of local time"))
    cursor.skip(characters, "the designations")
    if cursor.offset > start:
        regions.append(Region(start, cursor.offset, Kind.STRUCTURED, "types and designations"))
    start = cursor.offset
    cursor.skip(leaps * (width + 4), "the leap seconds")
    # `right/` zones: as steady as transitions, and as random to look at.
    if leaps:
        regions.append(Region(start, cursor.offset, Kind.OPAQUE, "leap seconds"))
    cursor.skip(standard + utc, "the indicators")
    return True


FORMAT = Format(
    name="tzif",
    title="time zone table",
    specification="RFC 9636, 3",
    suffixes=(),
    recognises=recognises,
    dissect=dissect,
)
