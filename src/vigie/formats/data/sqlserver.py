"""Microsoft SQL Server data and log files (.mdf, .ndf, .ldf): every allocated page by itself.

By hand, with numpy. Servers may grow files without clearing them, so that pages nobody uses hold whatever
stood on the disk: the page free space maps say which ones are in use.
"""

import numpy as np
from numpy.typing import NDArray

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.data import pages
from vigie.formats.data.pages import HEADER, Marks, Pages, column
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

PAGE = 8192
_FILE, _MAP = 15, 11
"""Page types: file header, and page free space (PFS)."""
_TYPES = 20
_INTERVAL = 8088
"""Pages that one PFS page tells of, a byte each, from byte 100 on; the first stands on page 1."""
_ALLOCATED = 0x40
_MOST = 1 << 14
"""PFS pages that are read: a terabyte."""


def recognises(head: bytes) -> bool:
    """Page 0 is a file header page: version 1, type 15, page number 0."""
    return _is_page(head, _FILE, 0) and 0 < int.from_bytes(head[36:38], "little") < 32768


def _is_page(head: bytes, kind: int, number: int) -> bool:
    if len(head) < 96 or head[0] != 1 or head[1] != kind:
        return False
    slots, used = int.from_bytes(head[22:24], "little"), int.from_bytes(head[30:32], "little")
    return head[32:36] == number.to_bytes(4, "little") and slots <= 4096 and used <= PAGE


class _Allocation:
    """Which pages are in use."""

    def __init__(self, blob: Blob) -> None:
        self.blob = blob
        self.maps: dict[int, NDArray[np.uint8] | None] = {}

    def of(self, number: int) -> bool:
        """Whether a page is in use; where the map itself is broken, yes."""
        index = number // _INTERVAL
        if index not in self.maps and len(self.maps) < _MOST:
            place = index * _INTERVAL or 1
            page = self.blob.at(place * PAGE, PAGE)
            known = len(page) == PAGE and _is_page(page, _MAP, place)
            self.maps[index] = np.frombuffer(page, np.uint8)[100 : 100 + _INTERVAL] if known else None
        bits = self.maps.get(index)
        return bits is None or bool(bits[number % _INTERVAL] & _ALLOCATED)


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The pages that are in use: version, type and number; bodies (encrypted by TDE, maybe) are opaque.

    Raises:
        Malformed: the first page is none.
        Unreadable: the blob cannot be read.
    """
    if not recognises(blob.at(0, 96)):
        raise Malformed(0, "no file header page of SQL Server")
    if not any(
        _is_page(blob.at(number * PAGE, 96), kind, number) for number, kind in ((1, _MAP), (2, 8), (3, 9))
    ):
        regions = (Region(0, 96, Kind.STRUCTURED, "header of the file header page"),)
        return Anatomy("sqlserver", regions, (), 0, ("a transaction log: what it holds cannot be told",))
    allocation = _Allocation(blob)

    def check(rows: Pages, first: int) -> Marks:
        number = first + np.arange(len(rows))
        good = (rows[:, 0] == 1) & (rows[:, 1] <= _TYPES) & (column(rows, 32, "<u4") == number)
        marks = np.where(good, 0, HEADER).astype(np.uint8)
        for index in np.flatnonzero(marks).tolist():
            if not allocation.of(first + index):
                marks[index] = 0
        return marks

    found = pages.survey(blob, PAGE, check, effort)
    flaws = list(found.flaws("no page header, or that of another page", ""))
    if blob.size % PAGE:
        flaws.append(Flaw(blob.size, blob.size, "the file ends inside a page"))
    return Anatomy("sqlserver", tuple(found.regions(96, "page header")), tuple(flaws), 0, found.notes())


FORMAT = Format(
    name="sqlserver",
    title="Microsoft SQL Server database or log",
    specification="SQL Server Internals: pages and extents; OrcaMDF",
    suffixes=(),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("mdf", "ndf", "ldf"),
)
