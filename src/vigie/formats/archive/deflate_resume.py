"""Where a broken deflate stream can be read again: the next block with tables of its own (RFC 1951, 3.2.7).

Such a block may begin at any bit. Its header is a strict grammar: of the code lengths that it begins with,
one random place in some hundreds makes a complete prefix code, and zlib refuses nearly all of those. The same
is how rapidgzip and pugz start in the middle of a file. What the block copies from before it is unknown, so
zlib is given zeros for it: the stream can be followed, its checksum cannot be had.
"""

import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vigie.formats.archive.deflate import LATE, SLICE, Inflated, Mark, Stop, inflate, unbroken
from vigie.formats.archive.deflate_onset import onset
from vigie.formats.contract import Effort
from vigie.model import Blob

WINDOW = 64 * 1024
"""Bytes searched at a time."""
PRICE = 64
"""Searching a byte takes as long as inflating this many."""
REACH = 512 * 1024
"""Bytes searched behind one break: zlib's blocks take 10 to 60 KB, those of other packers up to 300."""
BACK = 128 * 1024
"""Bytes before a break in which the first wrong byte is looked for."""
BREAKS = 64
"""Breaks of one stream that are followed."""
PROOF = 4096
"""Bytes that must be read without fault before a place is believed."""
_GLANCE = 400
_HEADER_BITS = 17 + 19 * 3
_BEFORE = bytes(32768)
_WEIGHT = np.array([0, 64, 32, 16, 8, 4, 2, 1], np.int16)
"""What a code of each length takes of a complete code of 128 parts."""


@dataclass(frozen=True, slots=True)
class Trace:
    """How a whole stream could be followed, over its breaks."""

    last: Inflated
    """How its last piece ended; only without breaks do its size and checksums mean the whole stream."""
    breaks: tuple[tuple[int, int], ...]
    """Stretches `[from, to)` in which something is wrong: from where the output turns to rubbish, or else
    from `LATE` before zlib noticed."""


def trace(blob: Blob, start: int, end: int, effort: Effort, ends: Callable[[Inflated], bool]) -> Trace:
    """Follow the raw deflate stream at `[start, end)`, and go on behind what is broken.

    `ends` says whether a stream may end as it did: rubbish often decodes to a false end.

    Raises:
        Unreadable: the blob cannot be read.
    """
    left = effort.left
    whole = unbroken(blob, start, end, effort)
    if whole is not None and (whole.stop is not Stop.ENDED or ends(whole)):
        return Trace(whole, ())
    effort.left = left
    marks: deque[Mark] = deque(maxlen=BACK // SLICE + 1)
    found = inflate(blob, start, end, effort, marks=marks)
    breaks: list[tuple[int, int]] = []
    floor, piece = start, blob
    while found.stop is Stop.BROKEN or (found.stop is Stop.ENDED and not ends(found)):
        turned = onset(piece, marks[0], found.end, effort) if marks else None
        begin = max(floor, found.end - LATE if turned is None else turned)
        place = _resume(blob, found.end, end, effort) if len(breaks) < BREAKS else None
        if place is None:
            breaks.append((begin, end))
            return Trace(replace(found, stop=Stop.BROKEN), tuple(breaks))
        floor = place // 8
        breaks.append((begin, floor))
        piece = _Shifted(blob, place % 8)
        marks.clear()
        found = inflate(piece, floor, end, effort, _BEFORE, marks)
    return Trace(found, tuple(breaks))


@dataclass(frozen=True, slots=True)
class _Shifted:
    """A blob whose bytes begin `by` bits later."""

    blob: Blob
    by: int

    @property
    def size(self) -> int:
        return self.blob.size

    def at(self, offset: int, length: int) -> bytes:
        data = self.blob.at(offset, length + 1)
        if not self.by:
            return data[:length]
        low = np.frombuffer(data, np.uint8)
        high = np.append(low[1:], np.uint8(0))
        return ((low >> self.by) | (high << (8 - self.by))).astype(np.uint8).tobytes()[:length]


def _resume(blob: Blob, start: int, end: int, effort: Effort) -> int | None:
    """The bit at which a block can be read again, counted from the blob's start."""
    stop = min(end, start + REACH)
    for position in range(start, stop, WINDOW):
        if effort.left <= 0:
            return None
        effort.spend(PRICE * min(WINDOW, stop - position))
        # One proof more than the window, so that a block which begins in it can be tried.
        data = blob.at(position, min(WINDOW + PROOF + 16, end - position))
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        for place in _candidates(bits[: WINDOW * 8 + _HEADER_BITS]).tolist():
            if _readable(bits[place:], at_end=position + len(data) >= end):
                return position * 8 + int(place)
    return None


def _candidates(bits: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Bits at which a block header with a complete code of code lengths may stand."""
    count = bits.size - _HEADER_BITS
    if count <= 0:
        return np.empty(0, np.intp)

    def at(offset: int) -> NDArray[np.uint8]:
        return bits[offset : offset + count]

    # BTYPE is 2, low bit first; HLIT and HDIST, five bits each, are below 30.
    likely = (
        (at(1) < at(2)) & ((at(4) & at(5) & at(6) & at(7)) == 0) & ((at(9) & at(10) & at(11) & at(12)) == 0)
    )
    places = np.flatnonzero(likely)
    three = bits[:-2] | bits[1:-1] << 1 | bits[2:] << 2
    counts = 4 + three[places + 13] + (bits[places + 16] << 3)
    total = np.zeros(places.size, np.int16)
    for index in range(19):
        total += np.where(index < counts, _WEIGHT[three[places + 17 + 3 * index]], 0).astype(np.int16)
        if index in (3, 7, 11):
            keep = total <= 128
            places, counts, total = places[keep], counts[keep], total[keep]
    found: NDArray[np.intp] = places[total == 128]
    return found


def _readable(bits: NDArray[np.uint8], *, at_end: bool) -> bool:
    """Whether zlib can read on from here: a glance first, then the proof."""
    for length in (_GLANCE, PROOF):
        engine = zlib.decompressobj(-zlib.MAX_WBITS, zdict=_BEFORE)
        data = np.packbits(bits[: length * 8], bitorder="little").tobytes()
        try:
            engine.decompress(data, 1 << 22)
        except zlib.error:
            return False
        if engine.eof:  # a stream ends where its place ends, or else it is a chance hit
            return at_end and len(engine.unused_data) <= 16 and bits.size <= length * 8
    return True
