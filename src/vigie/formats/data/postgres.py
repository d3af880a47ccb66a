"""PostgreSQL relation files (heap, index, free space and visibility maps): every page by itself.

By hand, with numpy: tables of hundreds of gigabytes come in segments of 1 GiB, and a page is judged by its
header, its line pointers, the headers of its rows and, where the cluster keeps them, its checksum.
"""

import numpy as np
from numpy.typing import NDArray

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.data import pages
from vigie.formats.data.pages import BODY, HEADER, Marks, Pages, column
from vigie.model import Anatomy, Blob, Flaw

PAGE = 8192
_VERSION = PAGE | 4
"""`pd_pagesize_version`: 8 KiB, layout 4 (since 8.3)."""
_SEGMENT = 131072
"""Pages of a segment of 1 GiB; the file's number is in its name, which a format does not see."""
_SEGMENTS = 1024
_FLAGS = 7
_BTREE = (0x053162).to_bytes(4, "little")
_SUMS = np.array(
    # storage/checksum_impl.h: the 32 start values of the checksum.
    [
        [0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C],
        [0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB],
        [0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4],
        [0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756],
    ],
    np.uint32,
).reshape(32)
_PRIME = np.uint32(16777619)


def recognises(head: bytes) -> bool:
    """A page header (storage/bufpage.h): size and version, flags, and three offsets in order."""
    if len(head) < 24 or head[18:20] != _VERSION.to_bytes(2, "little"):
        return False
    page = np.frombuffer(head[:24], np.uint8).reshape(1, 24)
    return bool(_headers(page)[0])


def _headers(rows: Pages) -> NDArray[np.bool_]:
    lower, upper, special = (column(rows, at, "<u2") for at in (12, 14, 16))
    fits = (lower >= 24) & (lower <= upper) & (upper <= special) & (special <= PAGE) & (special % 8 == 0)
    result: NDArray[np.bool_] = (
        fits & (column(rows, 18, "<u2") == _VERSION) & (column(rows, 10, "<u2") <= _FLAGS)
    )
    return result


class _Relation:
    """What all pages of one file have in common, as its first ones show."""

    def __init__(self, first: bytes, sample: Pages) -> None:
        # A heap has no special space, and its first page has rows; maps have neither.
        self.heap = first[16:18] == PAGE.to_bytes(2, "little") and first[12:14] != b"\x18\0"
        self.btree = first[24:28] == _BTREE and first[16:18] == (PAGE - 16).to_bytes(2, "little")
        self.special = first[16:18]
        self.base = _base(sample)
        self.checked = 0

    def check(self, rows: Pages, first: int) -> Marks:
        """A `pages.Check`."""
        good = _headers(rows)
        if self.heap or self.btree:
            good &= (rows[:, 16:18] == np.frombuffer(self.special, np.uint8)).all(axis=1)
        bad = ~good
        marks = np.where(bad, HEADER, 0).astype(np.uint8)
        if self.heap:
            marks[~bad & ~_rows_fit(rows, bad)] = BODY
        if self.btree:
            # access/nbtree.h: flags of an index page (below 0x400) stand at its end.
            marks[~bad & (column(rows, PAGE - 4, "<u2") >= 0x400)] = BODY
        if self.base is not None:
            holds = checksums(rows, self.base + first + np.arange(len(rows))) == column(rows, 8, "<u2")
            marks[~bad & ~holds] = BODY
            self.checked += int(holds.sum()) * PAGE
        return marks


def _rows_fit(rows: Pages, bad: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether line pointers lead to rows, and rows begin as rows do (itemid.h, htup_details.h)."""
    fits = np.ones(len(rows), np.bool_)
    lower, upper = column(rows, 12, "<u2").astype(np.int64), column(rows, 14, "<u2").astype(np.int64)
    most = int(lower[~bad].max(initial=24) - 24) // 4
    items = np.ascontiguousarray(rows[:, 24 : 24 + most * 4]).view("<u4").astype(np.int64)
    inside = np.arange(most)[None, :] < ((lower - 24) // 4)[:, None]
    offset, length = items & 0x7FFF, items >> 17
    normal = inside & (items >> 15 & 3 == 1) & ~bad[:, None]
    wrong = normal & (
        (offset < upper[:, None]) | (offset + length > PAGE) | (offset % 8 != 0) | (length < 23)
    )
    fits &= ~wrong.any(axis=1)
    page, item = np.nonzero(normal & ~wrong)
    head = rows[page, offset[page, item] + 22]
    crooked = (head < 23) | (head > length[page, item]) | (head % 8 != 0)
    fits[page[crooked]] = False
    return fits


def checksums(rows: Pages, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """`pg_checksum_page` of pages with these block numbers: 32 FNV-1a sums side by side."""
    found: NDArray[np.int64] = (mixed(rows) ^ numbers) % 65535 + 1
    return found


def mixed(rows: Pages) -> NDArray[np.int64]:
    """The checksum before the block number goes in."""
    words = np.ascontiguousarray(rows).view("<u4").reshape(len(rows), -1, 32).copy()
    words[:, 0, 2] &= 0xFFFF0000  # the checksum's own field counts as zero
    sums = np.broadcast_to(_SUMS, (len(rows), 32))
    for index in range(words.shape[1] + 2):
        value = sums ^ words[:, index] if index < words.shape[1] else sums
        sums = value * _PRIME ^ value >> np.uint32(17)
    joined: NDArray[np.int64] = np.bitwise_xor.reduce(sums, axis=1).astype(np.int64)
    return joined


def _base(sample: Pages) -> int | None:
    """The number of the file's first page, if the checksums of most of `sample` hold for one; else None."""
    number = np.flatnonzero(sample.any(axis=1) & (column(sample, 8, "<u2") != 0))
    if not number.size:
        return None
    rows = sample[number]
    bases = np.arange(_SEGMENTS)[:, None] * _SEGMENT
    holds = ((mixed(rows)[None, :] ^ (bases + number[None, :])) % 65535 + 1) == column(rows, 8, "<u2")[
        None, :
    ]
    best = int(holds.sum(axis=1).argmax())
    # One page in 64 is right by chance for one of the segments; several are not.
    enough = max(1 if best == 0 else 2, number.size // 2 + 1)
    return best * _SEGMENT if holds[best].sum() >= enough else None


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The pages of a relation: headers, line pointers, heads of rows and checksums; bodies are opaque.

    Raises:
        Malformed: the first page is none.
        Unreadable: the blob cannot be read.
    """
    first = blob.at(0, PAGE)
    if not recognises(first):
        raise Malformed(0, "no PostgreSQL page")
    data = blob.at(0, 16 * PAGE)
    sample = np.frombuffer(data, np.uint8)[: len(data) // PAGE * PAGE].reshape(-1, PAGE)
    relation = _Relation(first, sample)
    found = pages.survey(blob, PAGE, relation.check, effort)
    flaws = list(found.flaws("no page header", "rows or checksum do not fit"))
    if blob.size % PAGE:
        flaws.append(Flaw(blob.size, blob.size, "the file ends inside a page"))
    regions = tuple(found.regions(24, "page header"))
    return Anatomy("postgres", regions, tuple(flaws), relation.checked, found.notes())


FORMAT = Format(
    name="postgres",
    title="PostgreSQL relation file",
    specification="PostgreSQL 73.6, Database Page Layout",
    suffixes=(),
    recognises=recognises,
    dissect=dissect,
)
