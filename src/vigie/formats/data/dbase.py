"""dBase, FoxPro and Clipper tables (.dbf): the header, and every record by its first byte and its numbers.

By hand, with numpy: a record is a row of an array. Text columns may hold anything (programs keep encrypted
passwords in them), so only what is surely written in digits is tested.
"""

from dataclasses import dataclass

import numpy as np

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.data import pages
from vigie.formats.data.pages import HEADER, Marks, Pages
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

_VERSIONS = frozenset(
    b"\x02\x03\x04\x05\x07\x30\x31\x32\x43\x63\x7b\x83\x87\x8b\x8c\x8e\xb3\xcb\xe5\xeb\xf5\xfb"
)
_TYPES = frozenset(b"CNFDLMGPBITYOVQW@+0")
_NUMBERS = b"NFDL"
"""Types whose values are written in digits, signs, and T or F."""
_ALLOWED = np.zeros(256, np.bool_)
_ALLOWED[list(b"0123456789 +-.,*/eE?TFYNtfynJjOo\0")] = True
"""In those; German and French programs write J and O for yes."""
_MOST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Table:
    """What the header says."""

    records: int
    header: int
    record: int
    numbers: tuple[tuple[int, int], ...]
    """Where in a record numbers stand."""


def recognises(head: bytes) -> bool:
    """Version, a date, lengths that fit, and a first field with a name and a type."""
    if len(head) < 64 or head[0] not in _VERSIONS:
        return False
    header, record = int.from_bytes(head[8:10], "little"), int.from_bytes(head[10:12], "little")
    dated = head[2] <= 12 and head[3] <= 31 and head[1] < 200
    # dBase 7 describes its fields in 48 bytes from byte 68 on; the others in 32 from byte 32 on.
    first = head[68:] if head[0] & 7 == 4 and head[0] != 0x0C else head[32:]
    name = first[: 32 if len(head) > 100 and first is not head[32:] and head[0] & 7 == 4 else 11].rstrip(
        b"\0"
    )
    name = name.partition(b"\0")[0]
    named = bool(name) and all(0x20 < byte < 0x7F or byte >= 0x80 for byte in name) and name[:1].isalpha()
    kind = first[32:33] if head[0] & 7 == 4 else first[11:12]
    return dated and header >= 65 and record >= 2 and named and kind != b"" and kind[0] in _TYPES


def _table(blob: Blob, head: bytes) -> Table:
    header, record = int.from_bytes(head[8:10], "little"), int.from_bytes(head[10:12], "little")
    numbers: list[tuple[int, int]] = []
    if head[0] & 7 != 4:
        fields = blob.at(32, min(header, _MOST) - 32)
        place = 1
        for start in range(0, len(fields) - 31, 32):
            field = fields[start : start + 32]
            if field[0] == 0x0D:
                break
            if field[11] not in _TYPES or place >= record:
                raise Malformed(32 + start, "no description of a field")
            # FoxPro and Clipper keep long text fields' lengths in two bytes.
            length = field[16] + (field[17] << 8 if field[11] == 0x43 else 0)
            if field[11] in _NUMBERS and length and not field[18] & 4:
                numbers.append((place, min(place + length, record)))
            place += length
    return Table(int.from_bytes(head[4:8], "little"), header, record, tuple(numbers))


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The header, and the records: each begins with a space or a star, its numbers are written in digits.

    Raises:
        Malformed: no header, or a field that cannot be.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 4096)
    if not recognises(head):
        raise Malformed(0, "no header of a dBase table")
    table = _table(blob, head)
    columns = np.zeros(table.record, np.bool_)
    for start, end in table.numbers:
        columns[start:end] = True
    where = np.flatnonzero(columns)

    def check(rows: Pages, first: int) -> Marks:
        good = (rows[:, 0] == 0x20) | (rows[:, 0] == 0x2A)
        if where.size:
            good &= _ALLOWED[rows[:, where]].all(axis=1)
        return np.where(good | (first + np.arange(len(rows)) >= table.records), 0, HEADER).astype(np.uint8)

    found = pages.survey(blob, table.record, check, effort, table.header)
    flaws = list(found.flaws("no record", ""))
    end = table.header + table.records * table.record
    notes = list(found.notes())
    if blob.size < end - table.record:
        flaws.append(
            Flaw(blob.size, blob.size, f"{table.records} records announced, {found.pages} are there")
        )
    elif blob.size > end + 1:
        notes.append(f"{blob.size - end} bytes behind the last record")
    header = Region(0, min(table.header, blob.size), Kind.STRUCTURED, "header")
    return Anatomy("dbase", (header, *found.regions(0, "")), tuple(flaws), 0, tuple(notes))


FORMAT = Format(
    name="dbase",
    title="dBase table",
    specification="dBASE Table File Format (DBF), versions III to 7; Visual FoxPro table structure",
    suffixes=("dbf",),
    recognises=recognises,
    dissect=dissect,
)
