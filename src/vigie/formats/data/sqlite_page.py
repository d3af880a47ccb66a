"""One b-tree page of a SQLite database (fileformat2.html, sections 1.6 and 2.1)."""

import struct
from dataclasses import dataclass
from operator import add, itemgetter

_INTERIOR_INDEX, _INTERIOR_TABLE, _LEAF_INDEX, _LEAF_TABLE = 2, 5, 10, 13
_FREEBLOCKS = 64


@dataclass(frozen=True, slots=True)
class Layout:
    """The sizes that all pages of a database share."""

    size: int
    """Bytes a page."""
    usable: int
    """Without the space reserved at its end."""
    pages: int
    """Whole pages in the file."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is sound as far as its header and its cells' frames go."""

    end: int
    """Where its header and cell pointers end, counted from the start of the file."""
    children: tuple[int, ...]
    overflows: tuple[tuple[int, int], ...]
    """First page and length of each overflow chain."""
    data: bytes
    cells: tuple[int, ...]
    kind: int

    def roots(self) -> list[int]:
        """Root pages that the cells of a schema page name (section 2.6), -1 for a cell that is no such row.

        Views, triggers and virtual tables have none.
        """
        if self.kind != _LEAF_TABLE:
            return []
        found = []
        for cell in self.cells:
            _, place = varint(self.data, cell)
            _, place = varint(self.data, place)
            root = _fourth_column(self.data, place)
            if root:
                found.append(root)
        return found


def varint(data: bytes, place: int) -> tuple[int, int]:
    """The number at `place` and where the next thing begins; bytes past the end read as zero."""
    value = 0
    for index in range(9):
        byte = data[place + index] if place + index < len(data) else 0
        if index == 8:
            return value << 8 | byte, place + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + index + 1
    raise AssertionError  # the ninth byte always returns


def _fourth_column(data: bytes, place: int) -> int:
    """The integer in the fourth column of the record there (section 2.1), after three of text; or -1."""
    header, first = varint(data, place)
    body = place + header
    for column in range(4):
        kind, first = varint(data, first)
        if kind > 9 if column == 3 else kind and (kind < 13 or not kind & 1):
            return -1
        length = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)[kind] if kind < 10 else max(0, (kind - 12) // 2)
        if column == 3:
            return int.from_bytes(data[body : body + length], "big") if 1 <= kind <= 6 else int(kind == 9)
        body += length
    raise AssertionError  # the fourth column always returns


def read(data: bytes, number: int, layout: Layout) -> Page | str:
    """Page `number`, or what is impossible about it."""
    head = 100 if number == 1 else 0
    if len(data) < layout.size:
        return "cut off"
    kind = data[head]
    if kind not in (_INTERIOR_INDEX, _INTERIOR_TABLE, _LEAF_INDEX, _LEAF_TABLE):
        return f"no b-tree page (type {kind})"
    free, count, content, _ = struct.unpack_from(">HHHB", data, head + 1)
    content = content or 65536
    first = head + (12 if kind < _LEAF_INDEX else 8)
    end = first + 2 * count
    if end > content or content > layout.usable:
        return f"{count} cells, content from {content}"
    cells: tuple[int, ...] = struct.unpack_from(f">{count}H", data, first)
    if cells and not (content <= min(cells) and max(cells) <= layout.usable - 4):
        return "a cell pointer leads out of the page"
    if len(set(cells)) < count:
        return "two cells in one place"
    if fault := _free_fault(data, free, layout):
        return fault
    children: list[int] = []
    if kind < _LEAF_INDEX:
        children = [int.from_bytes(data[cell : cell + 4], "big") for cell in cells]
        children.append(int.from_bytes(data[head + 8 : head + 12], "big"))
    overflows: list[tuple[int, int]] = []
    if kind != _INTERIOR_TABLE:
        fault = _overflows(data, kind, cells, layout, overflows)
        if fault:
            return fault
    start = (number - 1) * layout.size
    return Page(start + end, tuple(children), tuple(overflows), data, cells, kind)


def _free_fault(data: bytes, place: int, layout: Layout) -> str:
    """Freeblocks ascend and stay within the page (section 1.6)."""
    for _ in range(layout.usable // 4):
        if not place:
            return ""
        if place > layout.usable - 4:
            return "a freeblock outside the page"
        following, size = struct.unpack_from(">HH", data, place)
        if size < 4 or place + size > layout.usable or 0 < following <= place:
            return "an impossible freeblock"
        place = following
    return "freeblocks without end"


def _overflows(
    data: bytes, kind: int, cells: tuple[int, ...], layout: Layout, found: list[tuple[int, int]]
) -> str:
    """Gather the overflow chains of the cells; says which cell does not fit into the page."""
    usable = layout.usable
    skip = 4 if kind == _INTERIOR_INDEX else 0
    most = usable - 35 if kind == _LEAF_TABLE else (usable - 12) * 64 // 255 - 23
    least = (usable - 12) * 32 // 255 - 23
    if not skip and len(cells) > 1:
        # Most pages hold nothing but short cells, which are seen all at once.
        lengths = itemgetter(*cells)(data)
        if max(lengths) <= min(most, 0x7F) and max(map(add, cells, lengths)) < usable:
            return ""
    for cell in cells:
        byte = data[cell + skip]
        if byte <= 0x7F and byte <= most:
            if cell + skip + 1 + byte > usable:
                return "a cell reaches out of the page"
            continue
        payload, place = varint(data, cell + skip)
        if kind == _LEAF_TABLE:
            _, place = varint(data, place)
        local = payload
        if payload > most:
            local = least + (payload - least) % (usable - 4)
            local = local if local <= most else least
        if place + local + (4 if local < payload else 0) > usable:
            return "a cell reaches out of the page"
        if local < payload:
            if payload > layout.pages * layout.size:
                return "a cell longer than the file"
            chain = int.from_bytes(data[place + local : place + local + 4], "big")
            found.append((chain, payload - local))
    return ""
