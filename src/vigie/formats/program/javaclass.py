"""Java class files (JVMS 4): constants, fields and methods, walked to the end; code may be anything."""

import struct

from vigie.formats.contract import EFFORT, Cursor, Effort, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

MAGIC = b"\xca\xfe\xba\xbe"
_OLDEST, _NEWEST = 45, 99
"""Major versions (table 4.1-A); a fat Mach-O file has its number of architectures there."""
_UTF8, _LONG, _DOUBLE = 1, 5, 6
_LENGTHS = {
    3: 4,
    4: 4,
    5: 8,
    6: 8,
    7: 2,
    8: 2,
    9: 4,
    10: 4,
    11: 4,
    12: 4,
    15: 3,
    16: 2,
    17: 4,
    18: 4,
    19: 2,
    20: 2,
}
_OPAQUE_TEXT = 256
"""Strings from this length on may be tables in disguise (parsers' automata): nothing is said of them."""
_NUMBERS, _BETWEEN = 32, 16
"""Nor of so many bytes of numbers with so few bytes between: tables of a checksum look random."""
_STEPS = 500_000
"""Fields, methods and attributes stepped over; a healthy class has thousands."""
_FIGURES = frozenset({3, 4, 5, 6})


def recognises(head: bytes) -> bool:
    """Magic, version, and a first constant whose tag exists."""
    if len(head) < 11 or not head.startswith(MAGIC) or head[10] not in (_UTF8, *_LENGTHS):
        return False
    return _OLDEST <= int.from_bytes(head[6:8], "big") <= _NEWEST and head[8:10] not in (b"\0\0", b"\0\1")


def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """Constants, fields, methods and attributes, in order; a class file has nothing behind them.

    Raises:
        Malformed: no header, or constants that break off.
        Unreadable: the blob cannot be read.
    """
    if not recognises(blob.at(0, 16)):
        raise Malformed(0, "no header of a class file")
    cursor = Cursor(blob)
    cursor.skip(8, "the header")
    regions: list[Region] = []
    flaws: list[Flaw] = []
    begin = 0
    for start, end in _constants(cursor):
        regions.append(Region(begin, start, Kind.STRUCTURED, "constants"))
        begin = end
    try:
        cursor.skip(6, "the names of the class")
        cursor.skip(2 * _short(cursor), "the interfaces")
        regions.append(Region(begin, cursor.offset, Kind.STRUCTURED, "constants"))
        _members(cursor, Effort(_STEPS))
    except Malformed as malformed:
        flaws.append(Flaw(min(malformed.offset, blob.size), blob.size, malformed.what))
    notes = (f"{cursor.left} bytes behind the class",) if cursor.left and not flaws else ()
    return Anatomy("javaclass", tuple(regions), tuple(flaws), 0, notes)


def _constants(cursor: Cursor) -> list[tuple[int, int]]:
    """Walk the constant pool (JVMS 4.4); where in it long strings and many numbers stand."""
    count = _short(cursor)
    found: list[tuple[int, int]] = []
    index = 1
    while index < count:
        start = cursor.offset
        tag = cursor.take(1, "the constants")[0]
        if tag == _UTF8:
            length = _short(cursor)
            cursor.skip(length, "a string")
            if length >= _OPAQUE_TEXT:
                found.append((start, cursor.offset))
        elif tag in _LENGTHS:
            cursor.skip(_LENGTHS[tag], "a constant")
            if tag in _FIGURES:
                if found and start - found[-1][1] <= _BETWEEN:
                    start = found.pop()[0]
                found.append((start, cursor.offset))
        else:
            cursor.offset -= 1
            cursor.fail(f"constant {index} has tag {tag}")
        index += 2 if tag in (_LONG, _DOUBLE) else 1
    return [(start, end) for start, end in found if end - start >= _NUMBERS]


def _members(cursor: Cursor, steps: Effort) -> None:
    """Step over fields, methods and the attributes of each, then those of the class (JVMS 4.5 to 4.7)."""
    for members in (True, True, False):
        for _ in range(_short(cursor) if members else 1):
            if members:
                cursor.skip(6, "a field or method")
            count = _short(cursor)
            steps.spend(count + 1)
            if steps.left <= 0:
                cursor.fail("more members than a class can use")
            for _ in range(count):
                _, length = struct.unpack(">HL", cursor.take(6, "an attribute"))
                cursor.skip(length, "an attribute")


def _short(cursor: Cursor) -> int:
    return int.from_bytes(cursor.take(2, "the class"), "big")


FORMAT = Format(
    name="javaclass",
    title="Java class file",
    specification="The Java Virtual Machine Specification 4",
    suffixes=(),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("class",),
)
