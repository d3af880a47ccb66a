"""Firebird and InterBase databases (.fdb, .gdb): every page by itself. By hand, with numpy."""

import numpy as np

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.data import pages
from vigie.formats.data.pages import HEADER, Marks, Pages, column
from vigie.model import Anatomy, Blob, Flaw

_SIZES = (1024, 2048, 4096, 8192, 16384, 32768)
_FIREBIRD = 0x8000
"""Set in the structure's version by Firebird, not by InterBase."""
_TYPES = 10
_CHECKSUM = 12345
"""`pag_checksum` up to structure 11: never computed, always this."""


def recognises(head: bytes) -> bool:
    """The header page (ods.h, `header_page`): type 1, a page size, and a version of the structure."""
    if len(head) < 64 or head[0] != 1:
        return False
    size, version = int.from_bytes(head[16:18], "little"), int.from_bytes(head[18:20], "little")
    major = version & 0xFF if version & _FIREBIRD else version
    known = (version & _FIREBIRD and version & 0x7FF0 == 0 and 10 <= major <= 15) or 8 <= version <= 18
    checksum = int.from_bytes(head[2:4], "little")
    # From structure 12 on there is no checksum, and page 0 says that it is page 0.
    sealed = checksum == _CHECKSUM or (checksum == 0 and head[12:16] == bytes(4))
    return size in _SIZES and bool(known) and sealed


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The pages: their types, the constant in place of a checksum or their own numbers; bodies are opaque.

    Raises:
        Malformed: the header page is none.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 64)
    if not recognises(head):
        raise Malformed(0, "no header page of a Firebird database")
    size = int.from_bytes(head[16:18], "little")
    sealed = head[2:4] != b"\0\0"

    def check(rows: Pages, first: int) -> Marks:
        good = rows[:, 0] <= _TYPES
        if sealed:
            good &= column(rows, 2, "<u2") == _CHECKSUM
        else:
            number = column(rows, 12, "<u4")
            good &= (column(rows, 2, "<u2") == 0) & ((number == first + np.arange(len(rows))) | (number == 0))
        return np.where(good, 0, HEADER).astype(np.uint8)

    found = pages.survey(blob, size, check, effort)
    flaws = list(found.flaws("no page header", ""))
    if blob.size % size:
        flaws.append(Flaw(blob.size, blob.size, "the file ends inside a page"))
    return Anatomy("firebird", tuple(found.regions(32, "header page")), tuple(flaws), 0, found.notes())


FORMAT = Format(
    name="firebird",
    title="Firebird or InterBase database",
    specification="Firebird Internals, ODS; jrd/ods.h",
    suffixes=("fdb",),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("gdb",),
)
