"""PostgreSQL's write-ahead log segments (pg_wal, and archives of them): every page's header.

By hand, with numpy. What stands between the headers may be anything: whole images of pages are logged.
"""

import struct

import numpy as np

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.data import pages
from vigie.formats.data.pages import HEADER, Marks, Pages, column
from vigie.model import Anatomy, Blob, Flaw

PAGE = 8192
_LONG = struct.Struct("<HHLQLxxxxQLL")
_FIRST = 2
"""`XLP_LONG_HEADER`: the first page of a segment says more."""
_INFO = 15


def recognises(head: bytes) -> bool:
    """The long page header (access/xlog_internal.h), its magic D0xx or D1xx."""
    if len(head) < _LONG.size:
        return False
    magic, info, timeline, address, _, _, segment, page = _LONG.unpack_from(head)
    sized = segment & (segment - 1) == 0 and 1 << 20 <= segment <= 1 << 30 and page == PAGE
    kind = magic >> 8 in (0xD0, 0xD1) and info <= _INFO and bool(info & _FIRST)
    return kind and sized and timeline > 0 and address % segment == 0


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The pages of a segment; those of an earlier use of the file, behind its end, have headers as well.

    Raises:
        Malformed: the first page is none.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, _LONG.size)
    if not recognises(head):
        raise Malformed(0, "no header of a write-ahead log segment")
    magic = head[1]

    def check(rows: Pages, _: int) -> Marks:
        # A recycled segment may keep pages of another minor version of the format: only the high byte.
        good = (
            (rows[:, 1] == magic) & (column(rows, 2, "<u2") <= _INFO) & (column(rows, 8, "<u8") % PAGE == 0)
        )
        return np.where(good, 0, HEADER).astype(np.uint8)

    found = pages.survey(blob, PAGE, check, effort)
    flaws = list(found.flaws("no page header", ""))
    size = _LONG.unpack(head)[6]
    if blob.size % PAGE or blob.size > size:
        flaws.append(Flaw(blob.size, blob.size, f"not the {size:,} bytes of a segment"))
    notes = found.notes() if blob.size >= size else (*found.notes(), "shorter than a segment")
    return Anatomy("postgres-wal", tuple(found.regions(_LONG.size, "segment header")), tuple(flaws), 0, notes)


FORMAT = Format(
    name="postgres-wal",
    title="PostgreSQL write-ahead log segment",
    specification="PostgreSQL access/xlog_internal.h",
    suffixes=(),
    recognises=recognises,
    dissect=dissect,
)
