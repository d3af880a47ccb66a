"""Records on the leaf pages of a SQLite database (fileformat2.html, section 2.1): which of them cannot be."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.formats.compiled import compiled

NEIGHBOURS = 2
"""Records next to one another that no flipped bit breaks together."""
_SINGLE = 32
"""Bytes of a broken record that stands alone: its header, which is all that is known to be wrong."""
_LONGEST = 9
"""Bytes of the longest number."""


def broken(data: bytes, cells: tuple[int, ...], usable: int, *, rowid: bool) -> list[tuple[int, int]]:
    """The stretches of a leaf page whose records cannot be: neighbours joined, as offsets in the page.

    Args:
        data: the page.
        cells: where its cells begin; each fits into the page (see `sqlite_page.read`).
        usable: bytes of the page without what is reserved at its end.
        rowid: of a table, whose cells carry the number of the row before the record.
    """
    starts = np.sort(np.array(cells, np.int64))
    bad = _impossible(np.frombuffer(data, np.uint8), starts, usable, rowid)
    if not bad.any():
        return []
    ends = np.append(starts[1:], usable)
    spans: list[tuple[int, int]] = []
    index = 0
    while index < bad.size:
        first = index
        while index < bad.size and bad[index]:
            index += 1
        if index > first:
            start, end = int(starts[first]), int(ends[index - 1])
            spans.append((start, end if index - first >= NEIGHBOURS else min(end, start + _SINGLE)))
        index += 1
    return spans


@compiled
def _number(data: Any, place: int) -> Any:
    """The number at `place` and how many bytes it takes; bytes past the end read as zero."""
    value = 0
    for index in range(_LONGEST):
        byte = np.int64(data[place + index]) if place + index < data.size else 0
        if index == _LONGEST - 1:
            return (value << 8) | byte, _LONGEST
        value = (value << 7) | (byte & 0x7F)
        if byte < 0x80:
            return value, index + 1
    return value, _LONGEST


@compiled
def _impossible(data: Any, cells: Any, usable: int, rowid: bool) -> NDArray[np.bool_]:
    """Which records have a header that does not account for every byte of their payload."""
    result = np.zeros(cells.size, np.bool_)
    for index in range(cells.size):
        payload, length = _number(data, cells[index])
        place = cells[index] + length
        if rowid:
            _, length = _number(data, place)
            place += length
        header, length = _number(data, place)
        if header < length or header > payload:
            result[index] = True
            continue
        stop = place + header
        if stop > usable - 4:
            continue  # the header itself runs over to other pages
        total = header
        at = place + length
        while at < stop:
            kind, length = _number(data, at)
            at += length
            if kind < 0 or kind == 10 or kind == 11:  # reserved: never written to a file
                total = -1
                break
            if kind >= 12:
                total += (kind - 12) // 2
            elif kind < 5:
                total += kind
            elif kind == 5:
                total += 6
            elif kind < 8:
                total += 8
            if total > payload:
                break
        result[index] = at != stop or total != payload
    return result
