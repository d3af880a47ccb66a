"""VP8 key frames parsed to the last token (RFC 6386), as WebP holds them: no pixel is made.

The arithmetic decoder takes any bits for some picture and never finds its way back, so a random byte makes
everything behind it random. Three things tell. Every encoder ends a block at its last coefficient that is not
zero, and leaves no zeros behind it; encoders that may skip a macroblock without coefficients do skip it; and
a partition holds as many bits as its macroblocks take. A single flipped bit does all that as well as random
bytes do: it cannot be told from them, nor can the end of what was struck be seen.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.formats.compiled import compiled
from vigie.formats.media.vp8_tables import BAND, COEFFICIENTS, EXTRA, MODE_TREE, MODES, UPDATES

_HEAD = 10
"""Bytes of the frame tag, the start code and the size (9.1)."""
_START, _END, _AT, _VALUE, _RANGE, _BITS = range(6)
"""What is known of a partition while it is read: where it begins, ends and is, the value, the range, and how
many bits of the value are still to be used."""

Octets = NDArray[np.uint8]
Reader = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Parsed:
    """How the parsing of one frame went; offsets are those of its data."""

    edges: tuple[int, ...]
    """Where each partition ends: in the first one stand the modes of all macroblocks, then tokens."""
    left: tuple[int, ...]
    """Bits of each partition that no macroblock took; below zero: so many are missing."""
    idle: tuple[int, int]
    """How many blocks end in zeros, and where the first one does."""
    empty: tuple[int, int]
    """How many macroblocks have no coefficients, and do not say so; where the first one stands."""
    skips: bool
    """Whether macroblocks may say that they have no coefficients (9.11)."""


def parse(data: bytes) -> Parsed | None:
    """Read a key frame; None where its header is none, or its partitions do not fit in.

    Takes some 230 ns a byte, and 41 bytes of memory for each macroblock.
    """
    if len(data) < _HEAD or data[0] & 1 or data[3:6] != b"\x9d\x01\x2a":
        return None
    wide, high = int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF
    first = _HEAD + (int.from_bytes(data[:3], "little") >> 5)
    if not wide or not high or first > len(data):
        return None
    columns, rows = wide + 15 >> 4, high + 15 >> 4
    readers = np.zeros((9, 6), np.int64)
    marks = np.array((0, -1, 0, -1, 0), np.int64)
    count = _frame(
        np.frombuffer(data, np.uint8),
        first,
        columns,
        rows,
        readers,
        marks,
        COEFFICIENTS.copy(),
        UPDATES,
        MODES,
        MODE_TREE,
        BAND,
        EXTRA,
    )
    if not count:
        return None
    used = [tuple(int(value) for value in row) for row in readers[: count + 1]]
    left = tuple((row[_END] - row[_AT]) * 8 + row[_BITS] for row in used)
    seen = [int(mark) for mark in marks]
    return Parsed(
        tuple(row[_END] for row in used), left, (seen[0], seen[1]), (seen[2], seen[3]), bool(seen[4])
    )


def warm() -> None:
    """Compile the loops, or load them from where they are kept, before the first file and confinement."""
    parse(b"\x10\x02\0\x9d\x01\x2a\x10\0\x10\0" + bytes(32))


@compiled
def _open(reader: Reader, start: Any, end: Any) -> None:
    """Begin to read a partition (7.3)."""
    reader[_START], reader[_END], reader[_AT] = start, end, start
    reader[_VALUE], reader[_RANGE], reader[_BITS] = 0, 255, 0


@compiled
def _bit(data: Octets, reader: Reader, chance: Any) -> Any:
    """One boolean (7.3); behind the end of the partition stand zeros."""
    if reader[_BITS] < 8:
        for _ in range(5):
            at = reader[_AT]
            more = np.int64(data[at]) if at < reader[_END] else np.int64(0)
            reader[_VALUE] = (reader[_VALUE] << 8 | more) & 0xFFFFFFFFFFFF
            reader[_AT] = at + 1
        reader[_BITS] += 40
    # The value is compared by its top 8 bits, of as many as are at hand.
    split = 1 + ((reader[_RANGE] - 1) * chance >> 8)
    bits = reader[_BITS]
    big = split << bits - 8
    if reader[_VALUE] >= big:
        reader[_VALUE] -= big
        width = reader[_RANGE] - split
        found = 1
    else:
        width = split
        found = 0
    while width < 128:
        width <<= 1
        bits -= 1
    reader[_RANGE], reader[_BITS] = width, bits
    return found


@compiled
def _number(data: Octets, reader: Reader, bits: Any) -> Any:
    """An unsigned number of so many bits, the highest first."""
    value = 0
    for _ in range(bits):
        value = value << 1 | _bit(data, reader, 128)
    return value


@compiled
def _optional(data: Octets, reader: Reader, bits: Any, missing: Any) -> Any:
    """A number behind a flag that says whether it is there."""
    return _number(data, reader, bits) if _bit(data, reader, 128) else missing


@compiled
def _header(data: Octets, reader: Reader, segments: Any) -> Any:
    """The frame header up to the number of partitions (9.2 to 9.6), and that number."""
    _number(data, reader, 2)  # color space, clamping
    mapped = 0
    if _bit(data, reader, 128):
        mapped = _bit(data, reader, 128)
        if _bit(data, reader, 128):
            _bit(data, reader, 128)
            for _ in range(4):
                _optional(data, reader, 8, 0)
            for _ in range(4):
                _optional(data, reader, 7, 0)
        if mapped:
            for index in range(3):
                segments[index] = _optional(data, reader, 8, 255)
    segments[3] = mapped
    _number(data, reader, 10)  # the loop filter
    if _bit(data, reader, 128) and _bit(data, reader, 128):
        for _ in range(8):
            _optional(data, reader, 7, 0)
    count = 1 << _number(data, reader, 2)
    _number(data, reader, 7)  # the quantizer
    for _ in range(5):
        _optional(data, reader, 5, 0)
    _bit(data, reader, 128)
    return count


@compiled
def _tokens(
    data: Octets, reader: Reader, chances: Any, context: Any, index: Any, band: Any, extra: Any
) -> Any:
    """The coefficients of one block (13.2): one behind the last of them, or -1 if it ends in zeros."""
    node = chances[band[index], context]
    while index < 16:
        if not _bit(data, reader, node[0]):
            return index
        while not _bit(data, reader, node[1]):
            index += 1
            if index == 16:
                return -1
            node = chances[band[index], 0]
        large = _bit(data, reader, node[2])
        if large:
            category = -1
            if not _bit(data, reader, node[3]):
                if _bit(data, reader, node[4]):
                    _bit(data, reader, node[5])
            elif not _bit(data, reader, node[6]):
                category = _bit(data, reader, node[7])
            else:
                high = _bit(data, reader, node[8])
                category = 2 + 2 * high + _bit(data, reader, node[9 + high])
            if category >= 0:
                for chance in extra[category]:
                    if not chance:
                        break
                    _bit(data, reader, chance)
        _bit(data, reader, 128)  # the sign
        index += 1
        node = chances[band[index], 1 + large]
    return index


@compiled
def _mode(data: Octets, reader: Reader, top: Any, side: Any, modes: Any, tree: Any) -> Any:
    """The modes of one macroblock (11.2 to 11.4): whether it is predicted whole."""
    whole = _bit(data, reader, 145)
    if whole:
        if _bit(data, reader, 156):
            mode = 1 if _bit(data, reader, 128) else 3
        else:
            mode = 2 if _bit(data, reader, 163) else 0
        top[:] = mode
        side[:] = mode
    else:
        for y in range(4):
            for x in range(4):
                node = 0
                while True:
                    node = tree[2 * node + _bit(data, reader, modes[top[x], side[y], node])]
                    if node <= 0:
                        break
                top[x] = side[y] = -node
    if _bit(data, reader, 142) and _bit(data, reader, 114):
        _bit(data, reader, 183)
    return whole


@compiled
def _residue(
    data: Octets, reader: Reader, whole: Any, chances: Any, above: Any, left: Any, band: Any, extra: Any
) -> Any:
    """The coefficients of one macroblock (13): how many blocks have some, and how many end in zeros."""
    some, idle, kind, first = 0, 0, 3, 0
    if whole:
        end = _tokens(data, reader, chances[1], above[8] + left[8], 0, band, extra)
        idle += end < 0
        above[8] = left[8] = end != 0
        some += end != 0
        kind, first = 0, 1
    for y in range(4):
        for x in range(4):
            end = _tokens(data, reader, chances[kind], above[x] + left[y], first, band, extra)
            idle += end < 0
            above[x] = left[y] = end < 0 or end > first
            some += above[x]
    for plane in (4, 6):
        for y in range(plane, plane + 2):
            for x in range(plane, plane + 2):
                end = _tokens(data, reader, chances[2], above[x] + left[y], 0, band, extra)
                idle += end < 0
                above[x] = left[y] = end != 0
                some += above[x]
    return some, idle


@compiled
def _frame(
    data: Octets,
    first: Any,
    columns: Any,
    rows: Any,
    readers: NDArray[np.int64],
    marks: NDArray[np.int64],
    chances: NDArray[np.uint8],
    updates: NDArray[np.uint8],
    modes: NDArray[np.uint8],
    tree: NDArray[np.int64],
    band: NDArray[np.int64],
    extra: NDArray[np.int64],
) -> Any:
    """Read the frame until it ends, or the data does: how many partitions hold tokens, 0 if there is no room.

    `marks`: see `Parsed.idle`, `Parsed.empty` and `Parsed.skips`, in this order.
    """
    head = readers[0]
    _open(head, _HEAD, first)
    segments = np.zeros(4, np.int64)
    count = _header(data, head, segments)
    start = first + 3 * (count - 1)
    if start > data.size:
        return 0
    for index in range(count):
        place = first + 3 * index
        end: Any = data.size
        if index < count - 1:
            size = np.int64(data[place]) | np.int64(data[place + 1]) << 8 | np.int64(data[place + 2]) << 16
            end = start + size
        if end > data.size:
            return 0
        _open(readers[1 + index], start, end)
        start = end
    for kind in range(4):
        for part in range(8):
            for before in range(3):
                for node in range(11):
                    if _bit(data, head, updates[kind, part, before, node]):
                        chances[kind, part, before, node] = _number(data, head, 8)
    skips = _bit(data, head, 128)
    skip = _number(data, head, 8) if skips else 0
    marks[4] = skips
    tops = np.zeros((columns, 4), np.int64)
    above = np.zeros((columns, 9), np.uint8)
    for row in range(rows):
        sides = np.zeros(4, np.int64)
        left = np.zeros(9, np.uint8)
        reader = readers[1 + (row & count - 1)]
        for column in range(columns):
            if segments[3]:
                _bit(data, head, segments[1 + _bit(data, head, segments[0])])
            skipped = skips and _bit(data, head, skip)
            whole = _mode(data, head, tops[column], sides, modes, tree)
            if skipped:
                above[column, :8] = 0
                left[:8] = 0
                if whole:
                    above[column, 8] = left[8] = 0
                continue
            place = reader[_AT]
            some, idle = _residue(data, reader, whole, chances, above[column], left, band, extra)
            if idle and marks[0] == 0:
                marks[1] = place
            marks[0] += idle
            if skips and not some:
                if marks[2] == 0:
                    marks[3] = place
                marks[2] += 1
            if head[_AT] > head[_END] + 8 or reader[_AT] > reader[_END] + 8:
                return count  # what it says from here on is made of nothing
    return count
