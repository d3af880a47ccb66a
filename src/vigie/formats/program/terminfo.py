"""Compiled terminfo entries, in both number formats, with extended capabilities (term(5))."""

import struct

from vigie.formats.contract import EFFORT, Cursor, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

WIDTHS = {0o432: 2, 0o1036: 4}
"""Bytes of a number, by the magic number ("LEGACY STORAGE FORMAT", "EXTENDED NUMBER FORMAT")."""
_MOST = (512, 512, 512, 4096, 32767)
"""Bytes of names, booleans, numbers, strings and string table; term(5) bounds an entry to 32,768 bytes."""


def _sizes(head: bytes) -> tuple[int, ...] | None:
    if len(head) < 14:
        return None
    magic, *sizes = struct.unpack_from("<6H", head)
    if magic not in WIDTHS or any(size > most for size, most in zip(sizes, _MOST, strict=True)):
        return None
    return tuple(sizes)


def recognises(head: bytes) -> bool:
    """Magic, sizes within bounds, then printable names that end with a null."""
    sizes = _sizes(head)
    if sizes is None or sizes[0] < 3:
        return False
    names = head[12 : 12 + sizes[0]]
    return names[-1:] == b"\0" and names[:-1].isascii() and names[:-1].decode("ascii").isprintable()


def dissect(blob: Blob, _effort: int = EFFORT) -> Anatomy:
    """The sections of an entry: sizes from the header, offsets of strings within their table.

    Raises:
        Malformed: no header, or a file that ends before its sections do.
        Unreadable: the blob cannot be read.
    """
    cursor = Cursor(blob)
    sizes = _sizes(cursor.peek(14))
    if sizes is None:
        raise Malformed(0, "no terminfo header")
    width = WIDTHS[int.from_bytes(cursor.take(2, "the magic number"), "little")]
    cursor.skip(10, "the header")
    names, booleans, numbers, strings, table = sizes
    cursor.skip(names, "the names")
    flaws = _sections(cursor, booleans, numbers * width, strings, strings, table)
    if cursor.left > 10:
        cursor.skip(cursor.offset % 2, "padding")
        booleans, numbers, strings, items, table = struct.unpack(
            "<5H", cursor.take(10, "the extended header")
        )
        # The offsets of strings come first, then those of all names, which count from behind the strings.
        flaws += _sections(
            cursor, booleans, numbers * width, max(items, booleans + numbers + 2 * strings), strings, table
        )
    notes = (f"{cursor.left} bytes behind the entry",) if cursor.left > 1 else ()
    regions = (Region(0, cursor.offset, Kind.STRUCTURED, "terminal description"),)
    return Anatomy("terminfo", regions, tuple(flaws), 0, notes)


def _sections(
    cursor: Cursor, booleans: int, numbers: int, offsets: int, strings: int, table: int
) -> list[Flaw]:
    """Walk over one set of sections; the flaws are offsets that lead out of the string table."""
    start = cursor.offset
    values = cursor.take(booleans, "the booleans")
    flaws = []
    if values.translate(None, b"\0\1\xfe\xff"):
        flaws.append(Flaw(start, cursor.offset, "a boolean that is neither yes nor no"))
    cursor.skip(cursor.offset % 2, "padding")
    cursor.skip(numbers, "the numbers")
    start = cursor.offset
    places = struct.unpack(f"<{offsets}h", cursor.take(2 * offsets, "the offsets of strings"))
    if any(not -2 <= place < max(table, 1) for place in places[:strings]):
        flaws.append(Flaw(start, cursor.offset, "a string outside of its table"))
    cursor.skip(table, "the strings")
    return flaws


FORMAT = Format(
    name="terminfo",
    title="compiled terminal description",
    specification="term(5) of ncurses 6",
    suffixes=(),
    recognises=recognises,
    dissect=dissect,
)
