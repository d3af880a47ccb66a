"""InnoDB tablespaces of MySQL and MariaDB (.ibd, ibdata1, undo): every page by itself.

By hand, with numpy. Servers write five kinds of checksum, or none: the one that holds on the first pages
is then expected of all.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.data import crc32c, pages
from vigie.formats.data.pages import BODY, HEADER, Marks, Pages, column
from vigie.model import Anatomy, Blob, Flaw

_HEADER = 8
"""`FIL_PAGE_TYPE_FSP_HDR`: what page 0 is."""
_SAMPLE = 64 * 1024
_MARKER = 0x10
"""`FSP_SPACE_FLAGS` of MariaDB's full_crc32 format; in the others this bit is zero."""
_SIZES = (4096, 8192, 16384, 32768, 65536)
_PACKED = (1024, 2048, 4096, 8192, 16384)
Sum = Callable[[Pages], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Layout:
    """What page 0 says of all pages (fsp0types.h)."""

    size: int
    space: bytes
    full: bool
    """Whether pages end in a CRC-32C of all that stands before."""
    packed: bool
    """ROW_FORMAT=COMPRESSED: smaller pages, without a trailer."""


def layout(head: bytes) -> Layout | None:
    """The layout that page 0 tells, or None if it is no such page."""
    if len(head) < 64 or head[4:8] != bytes(4) or head[24:26] != _HEADER.to_bytes(2, "big"):
        return None
    if head[34:38] != head[38:42] or head[42:46] != bytes(4) or head[46:50] == bytes(4):
        return None
    flags = int.from_bytes(head[54:58], "big")
    if flags & _MARKER:
        size = 512 << (flags & 15)
        return Layout(size, head[34:38], full=True, packed=False) if size in _SIZES else None
    size = 512 << (flags >> 6 & 15) if flags >> 6 & 15 else 16384
    packed = flags >> 1 & 7
    if size not in _SIZES or packed > 5:
        return None
    return Layout(_PACKED[packed - 1] if packed else size, head[34:38], full=False, packed=bool(packed))


def recognises(head: bytes) -> bool:
    """Page 0 of a tablespace: number 0, its type, the space's number twice, and possible flags."""
    return layout(head) is not None


def full_crc32(rows: Pages) -> NDArray[np.bool_]:
    """MariaDB 10.5: the last four bytes."""
    holds: NDArray[np.bool_] = crc32c.rows(rows[:, :-4]) == column(rows, rows.shape[1] - 4, ">u4")
    return holds


def crc32(rows: Pages) -> NDArray[np.bool_]:
    """Header and body by themselves, both without the checksums and the trailer (buf0checksum.cc)."""
    value = crc32c.rows(rows[:, 4:26]) ^ crc32c.rows(rows[:, 38 : rows.shape[1] - 8])
    holds: NDArray[np.bool_] = value == column(rows, 0, ">u4")
    return holds


def _known(sample: Pages, shape: Layout) -> Sum | None:
    """The checksum that holds on most of the first pages that are not empty."""
    rows = sample[sample[:, :38].any(axis=1)]
    if shape.packed or not len(rows):
        return None
    known = full_crc32 if shape.full else crc32
    return known if int(known(rows).sum()) * 2 > len(rows) else None


class _Space:
    """The check of one tablespace's pages."""

    def __init__(self, shape: Layout, known: Sum | None) -> None:
        self.shape = shape
        self.known = known
        self.checked = 0

    def check(self, rows: Pages, first: int) -> Marks:
        """A `pages.Check`."""
        shape, size = self.shape, self.shape.size
        numbered = column(rows, 4, ">u4") == first + np.arange(len(rows))
        good = numbered & (rows[:, 34:38] == np.frombuffer(shape.space, np.uint8)).all(axis=1)
        ends = np.ones(len(rows), np.bool_)
        if not shape.packed:
            # The end of the log record stands at both ends of a page.
            ends = column(rows, 20, ">u4") == column(rows, size - (8 if shape.full else 4), ">u4")
        if shape.space == bytes(4):
            # The doublewrite buffer of the system tablespace holds copies of other pages.
            kind = column(rows, 24, ">u2")
            good |= ends & ((kind < 64) | (kind >= 17853) & (kind <= 17855))
        marks = np.where(good, 0, HEADER).astype(np.uint8)
        marks[good & ~ends] = BODY
        if self.known is not None:
            holds = self.known(rows)
            self.checked += int(holds.sum()) * size
            # Pages set aside may carry their number and nothing else.
            filled = rows[:, 26:].any(axis=1)
            marks[good & ~holds & filled] = BODY
        return marks


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The pages of a tablespace: numbers, log positions at both ends, and checksums; bodies are opaque.

    Raises:
        Malformed: page 0 is none.
        Unreadable: the blob cannot be read.
    """
    shape = layout(blob.at(0, 64))
    if shape is None:
        raise Malformed(0, "no first page of an InnoDB tablespace")
    data = blob.at(0, _SAMPLE)
    sample = np.frombuffer(data, np.uint8)[: len(data) // shape.size * shape.size].reshape(-1, shape.size)
    space = _Space(shape, _known(sample, shape))
    found = pages.survey(blob, shape.size, space.check, effort)
    flaws = list(found.flaws("no page of this tablespace", "the two ends or the checksum do not fit"))
    if blob.size % shape.size:
        flaws.append(Flaw(blob.size, blob.size, "the file ends inside a page"))
    regions = tuple(found.regions(38, "page header"))
    return Anatomy("innodb", regions, tuple(flaws), space.checked, found.notes())


FORMAT = Format(
    name="innodb",
    title="InnoDB tablespace of MySQL or MariaDB",
    specification="MySQL fil0types.h and fsp0types.h; MariaDB fil_space_t::full_crc32",
    suffixes=("ibd",),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("ibu",),
)
