"""GNU gettext .mo: both tables of strings are followed, and every string ends with a null."""

import numpy as np
from numpy.typing import NDArray

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

MAGICS = {b"\xde\x12\x04\x95": "<", b"\x95\x04\x12\xde": ">"}
READ = 64 * 1024 * 1024
FLAWS = 1_024


def recognises(head: bytes) -> bool:
    """Magic, revision 0 or 1 (major and minor), and tables behind the header."""
    if len(head) < 28 or head[:4] not in MAGICS:
        return False
    revision, _, originals, translations = np.frombuffer(head, MAGICS[head[:4]] + "u4", 4, 4).tolist()
    return revision in (0, 1, 0x10000, 0x10001) and originals >= 28 and translations >= 28


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Header, tables and strings; nothing in them looks random, whatever the language.

    Raises:
        Malformed: no header, or tables that lie outside of the file.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 28)
    if not recognises(head):
        raise Malformed(0, "no header of a message catalogue")
    order = MAGICS[head[:4]] + "u4"
    _, count, *tables = np.frombuffer(head, order, 4, 4).tolist()
    for place, table in enumerate(tables):
        if table + 8 * count > blob.size:
            raise Malformed(12 + 4 * place, f"a table of {count} strings at byte {table}")
    regions = (Region(0, blob.size, Kind.STRUCTURED, "tables and strings"),)
    if blob.size > min(READ, effort):
        return Anatomy("mo", regions, (), 0, ("too long to follow its strings",))
    data = np.frombuffer(blob.at(0, blob.size), np.uint8)
    flaws: list[Flaw] = []
    for table in tables:
        pairs = data[table : table + 8 * count].view(order).reshape(count, 2).astype(np.int64)
        ends = pairs.sum(axis=1)
        inside = ends < blob.size
        wrong = ~inside
        wrong[inside] = data[ends[inside]] != 0
        flaws.extend(_flaws(np.flatnonzero(wrong), table))
    flaws.sort(key=lambda flaw: flaw.start)
    return Anatomy("mo", regions, tuple(flaws[:FLAWS]))


def _flaws(wrong: NDArray[np.intp], table: int) -> list[Flaw]:
    """Entries of a table that lead nowhere, neighbours joined."""
    flaws: list[Flaw] = []
    for index in wrong.tolist():
        start = table + 8 * index
        if flaws and flaws[-1].end == start:
            flaws[-1] = Flaw(flaws[-1].start, start + 8, flaws[-1].what)
        elif len(flaws) < FLAWS:
            flaws.append(Flaw(start, start + 8, f"string {index} has no end, or none in the file"))
    return flaws


FORMAT = Format(
    name="mo",
    title="GNU gettext message catalogue",
    specification='GNU gettext manual, "The Format of GNU MO Files"',
    suffixes=(),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("mo", "gmo"),
)
