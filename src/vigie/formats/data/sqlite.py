"""SQLite 3 databases (fileformat2.html): every b-tree page that the schema reaches, and the freelist."""

import struct
from collections.abc import Iterator

import numpy as np

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.data import sqlite_page
from vigie.formats.data.pages import BLOCK, HEADER, Marks, Pages, column, survey
from vigie.formats.data.sqlite_page import Layout, Page
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

MAGIC = b"SQLite format 3\x00"
DECODED = 64 * 1024 * 1024
"""Bytes of pages that are looked at cell by cell: less than `contract.EFFORT`, for this is Python's work."""
FLAWS = 256
"""Broken pages told apart; beyond, the last flaw grows."""
_PENDING = 0x40000000


def recognises(head: bytes) -> bool:
    """The header string and the constants behind it (section 1.3)."""
    return head.startswith(MAGIC) and _page_size(head) is not None


def _page_size(head: bytes) -> int | None:
    if len(head) < 100 or head[21:24] != b"\x40\x20\x20" or not {head[18], head[19]} <= {1, 2}:
        return None
    size = int.from_bytes(head[16:18], "big")
    size = 65536 if size == 1 else size
    return size if 512 <= size <= 65536 and not size & (size - 1) and size - head[20] >= 480 else None


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The anatomy of a database: the headers of its pages are tested, their content may be anything.

    What the walk through the tables does not reach is looked at where it stands, all over the file.

    Raises:
        Malformed: no header, or an impossible one.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 100)
    size = _page_size(head) if head.startswith(MAGIC) else None
    if size is None:
        raise Malformed(0, "no SQLite header, or an impossible one")
    walk = _Walk(blob, head, Layout(size, size - head[20], blob.size // size), min(DECODED, effort // 2))
    walk.schema()
    walk.freelist()
    walk.pointer_map()
    walk.orphans()
    if walk.left <= 0:
        walk.strangers(effort // 2)
    return walk.anatomy()


class _Walk:
    """One pass over a database."""

    def __init__(self, blob: Blob, head: bytes, layout: Layout, effort: int) -> None:
        self.blob = blob
        self.head = head
        self.layout = layout
        self.left = max(4, effort // layout.size)
        self.seen: set[int] = set()
        self.spans: list[tuple[int, int]] = []
        self.flaws: dict[int, str] = {}
        self.runs: list[tuple[int, int, str]] = []
        """Broken pages `[first, end)` that no table led to."""
        self.notes: list[str] = []
        self.lock = _PENDING // layout.size + 1
        self.missing = ""
        counter, pages, valid_for = head[24:28], int.from_bytes(head[28:32], "big"), head[92:96]
        if counter == valid_for and pages and layout.pages < pages:
            self.missing = f"{pages} pages announced, {layout.pages} are there"
        elif blob.size % layout.size or not layout.pages:
            self.missing = "the file ends inside a page"

    def schema(self) -> None:
        """The schema table on page 1 (section 2.6), then every b-tree it names."""
        roots: list[int] = []
        for page in self._tree(1):
            roots.extend(page.roots())
            if not self.missing and any(not 0 < root <= self.layout.pages for root in page.roots()):
                self.flaws[(page.end - 1) // self.layout.size + 1] = "a row of the schema that cannot be one"
        for root in roots:
            for _ in self._tree(root):
                pass

    def _tree(self, root: int) -> Iterator[Page]:
        """The sound pages of one b-tree, its overflow chains followed; broken ones become flaws."""
        waiting = [root]
        while waiting and self.left > 0:
            number = waiting.pop()
            data = self._take(number)
            if not data:
                continue
            page = sqlite_page.read(data, number, self.layout)
            if isinstance(page, str):
                self.flaws[number] = page
                continue
            self.spans.append((100 if number == 1 else (number - 1) * self.layout.size, page.end))
            beyond = [one for one in page.children if not 1 < one <= self.layout.pages]
            if beyond and not self.missing:
                self.flaws[number] = f"child page {beyond[0]} of {self.layout.pages}"
            waiting.extend(one for one in page.children if 1 < one <= self.layout.pages)
            for first, length in page.overflows:
                self._chain(number, first, length)
            yield page

    def _take(self, number: int) -> bytes:
        """A page that was not seen before, or nothing."""
        if not 0 < number <= self.layout.pages or number in self.seen:
            return b""
        self.seen.add(number)
        self.left -= 1
        return self.blob.at((number - 1) * self.layout.size, self.layout.size)

    def _chain(self, owner: int, first: int, length: int) -> None:
        """The overflow pages of one cell (section 1.6): as many as its length asks for."""
        number = first
        for _ in range(-(-length // (self.layout.usable - 4))):
            if self.left <= 0:
                return
            if not 1 < number <= self.layout.pages:
                if not self.missing:
                    self.flaws.setdefault(owner, f"an overflow chain leads to page {number}")
                return
            self.seen.add(number)
            self.left -= 1
            owner = number
            number = int.from_bytes(self.blob.at((number - 1) * self.layout.size, 4), "big")
        if number:
            self.flaws.setdefault(owner, "an overflow chain has no end")

    def freelist(self) -> None:
        """Trunk pages (section 1.5)."""
        number, owner = int.from_bytes(self.head[32:36], "big"), 1
        while number and self.left > 0:
            data = self._take(number)
            if not data:
                if not self.missing:
                    self.flaws.setdefault(owner, f"the freelist leads to page {number}")
                return
            following, count = struct.unpack_from(">LL", data)
            if count > self.layout.usable // 4 - 2:
                self.flaws[number] = f"a freelist trunk of {count} leaves"
                return
            leaves = struct.unpack_from(f">{count}L", data, 8)
            if any(not 1 < leaf <= self.layout.pages for leaf in leaves) and not self.missing:
                self.flaws[number] = "a freelist trunk with impossible leaves"
                return
            self.seen.update(leaves)
            number, owner = following, number

    def pointer_map(self) -> None:
        """Pointer-map pages of auto-vacuum databases (section 1.8): the types are 1 to 5."""
        if self.head[52:56] == b"\0\0\0\0":
            return
        entries = self.layout.usable // 5
        for place in range(2, self.layout.pages + 1, entries + 1):
            number = place + 1 if place == self.lock else place
            data = self._take(number)
            # Only types of pages that exist are kept up; what stands behind them may be old.
            live = max(0, min(entries, self.layout.pages - number))
            if data and max(data[: live * 5 : 5], default=0) > 5:
                self.flaws[number] = "a pointer map of impossible types"

    def orphans(self) -> None:
        """Where a tree is broken, the pages it hides: b-tree pages, or overflow pages that lead to a page."""
        if not self.flaws:
            return
        for number in range(2, self.layout.pages + 1):
            if self.left <= 0:
                return
            data = self._take(number) if number != self.lock else b""
            if data and isinstance(sqlite_page.read(data, number, self.layout), str):
                following = int.from_bytes(data[:4], "big")
                if following > self.layout.pages:
                    self.flaws[number] = (
                        "cut off from its tree, and neither a b-tree page nor an overflow page"
                    )

    def strangers(self, effort: int) -> None:
        """Pages that are of no kind, among those that the walk did not reach: places all over the file.

        A b-tree page says its type and where its content begins; an overflow page leads to a page or to none,
        and so does a freelist trunk; the leaves of the freelist were one of these. Pointer maps begin with a
        type, and pages of zeros were never used.
        """
        size, usable = self.layout.size, self.layout.usable
        self.notes.append("too large to look at every page through its table")

        def check(rows: Pages, first: int) -> Marks:
            cells = column(rows, 3, ">u2").astype(np.int64) * 2 + 8
            content = (column(rows, 5, ">u2").astype(np.int64) - 1) % 65536 + 1
            tree = np.isin(rows[:, 0], (2, 5, 10, 13)) & (cells <= content) & (content <= usable)
            # The file may have been longer when a page that is free now was written.
            known = tree | (column(rows, 0, ">u4") <= 4 * self.layout.pages + 1024)
            if any(self.head[52:56]):
                known |= (rows[:, 0] >= 1) & (rows[:, 0] <= 5)
            number = first + 1 + np.arange(len(rows))
            passed = (number == 1) | (number == self.lock)
            return np.where(known | passed, 0, HEADER).astype(np.uint8)

        found = survey(self.blob, size, check, effort)
        for run in found.runs:
            self.runs.append((run.first + 1, run.end + 1, "neither a b-tree page nor an overflow page"))
        self.notes.extend(found.notes())

    def anatomy(self) -> Anatomy:
        """Everything found, as regions in order."""
        size = self.layout.size
        regions = [Region(0, 100, Kind.STRUCTURED, "database header")]
        for start, end in sorted(self.spans):
            regions.append(Region(start, end, Kind.CODED, f"header of page {start // size + 1}"))
        flaws: list[Flaw] = []
        single = [(number, number + 1, what) for number, what in self.flaws.items()]
        for first, last, what in sorted([*single, *self.runs]):
            start, end = (first - 1) * size, (last - 1) * size
            whole = size <= BLOCK and len(flaws) < FLAWS
            # Page 1 stays by itself: its header may have been spared, and says nothing of the pages behind.
            if flaws and (len(flaws) == FLAWS or (start <= flaws[-1].end and flaws[-1].start)):
                before = flaws[-1]
                flaws[-1] = Flaw(before.start, max(before.end, end), before.what, throughout=whole)
            else:
                flaws.append(Flaw(start, end, f"page {first}: {what}", throughout=whole))
        if self.missing:
            flaws.append(Flaw(self.blob.size, self.blob.size, self.missing))
        if self.lock <= self.layout.pages:
            self.seen.add(self.lock)
        lost = self.layout.pages - len(self.seen)
        if lost and not flaws and self.left > 0:
            self.notes.append(f"{lost} pages belong to no table")
        return Anatomy("sqlite", tuple(regions), tuple(flaws), 0, tuple(self.notes))


FORMAT = Format(
    name="sqlite",
    title="SQLite 3 database",
    specification="SQLite fileformat2.html 1",
    suffixes=("sqlite", "sqlite3", "db3"),
    recognises=recognises,
    dissect=dissect,
    weak_suffixes=("db",),
)
