"""Extensible Storage Engine databases (Exchange, Active Directory, Windows Search): every page by itself.

By hand, with numpy. Checksums of old and of new pages differ, and Exchange adds its own: headers are tested.
"""

import numpy as np

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.data import pages
from vigie.formats.data.pages import HEADER, Marks, Pages, column
from vigie.model import Anatomy, Blob, Flaw

_MAGIC = (0x89ABCDEF).to_bytes(4, "little")
_SIZES = (2048, 4096, 8192, 16384, 32768)
_FLAGS = 1 << 20
"""Page flags known so far stay below (libesedb, "Page flags")."""


def recognises(head: bytes) -> bool:
    """The file header: its magic, version 0x620 and a page size."""
    size = int.from_bytes(head[236:240], "little")
    return head[4:8] == _MAGIC and head[8:12] == b"\x20\x06\0\0" and size in (0, *_SIZES) and len(head) >= 240


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Two copies of the header, then the pages: what their headers say of free space, tags and flags.

    Raises:
        Malformed: no header.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 4096)
    if not recognises(head):
        raise Malformed(0, "no header of an ESE database")
    size = int.from_bytes(head[236:240], "little") or 4096

    def check(rows: Pages, first: int) -> Marks:
        if int.from_bytes(head[12:16], "little"):
            return np.zeros(len(rows), np.uint8)  # a streaming file: raw content, in pages without headers
        free, pending, offset = (column(rows, at, "<u2") for at in (28, 30, 32))
        good = (free <= size) & (pending <= size) & (offset <= size)
        good &= (column(rows, 34, "<u2") & 0xFFF <= size // 4) & (column(rows, 36, "<u4") < _FLAGS)
        if first < 2:
            copies = slice(0, 2 - first)
            good[copies] = (rows[copies, 4:8] == np.frombuffer(_MAGIC, np.uint8)).all(axis=1)
        return np.where(good, 0, HEADER).astype(np.uint8)

    found = pages.survey(blob, size, check, effort)
    flaws = list(found.flaws("no page header", ""))
    if blob.size % size:
        flaws.append(Flaw(blob.size, blob.size, "the file ends inside a page"))
    return Anatomy("ese", tuple(found.regions(240, "file header")), tuple(flaws), 0, found.notes())


FORMAT = Format(
    name="ese",
    title="ESE database (Exchange, Active Directory)",
    specification="libesedb, Extensible Storage Engine Database File format",
    suffixes=("edb",),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("dit", "sdb"),
)
