"""LZW streams of GIF and TIFF held to their grammar, without decoding a pixel.

The width of every code follows from how many came since the last clear code, so all codes up to the next one
are cut out of the bits at once (numpy). A code may name only an entry that exists by then: of random 12-bit
codes one in four does not, on average. Behind a break the walk goes on at the next clear code.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

_CODES = 4096
_TRUST = 64
"""Good codes behind what looks like a clear code before it is taken for one: random bits give a few."""
_LEAD = 64
"""Bytes shown before a break: a few random codes may be good by chance."""
_TRIES = 128
"""Places tried for one resumption."""
_BREAKS = 32
"""Breaks told apart in one stream."""


class Lzw:
    """One stream.

    `breaks` are the byte ranges that hold no codes, rising; `ended` whether the end code was met.
    """

    def __init__(self, data: bytes, *, root: int, tiff: bool) -> None:
        """Walk a stream of symbols of `root` bits; TIFF packs from the top bit, and widens a code early."""
        padded = np.frombuffer(data + bytes(3), np.uint8).astype(np.uint32)
        first, second, third = padded[:-2], padded[1:-1], padded[2:]
        self._words = first << 16 | second << 8 | third if tiff else first | second << 8 | third << 16
        self._tiff = tiff
        self._root = root
        self._size = len(data) * 8
        self.breaks: list[tuple[int, int]] = []
        self.ended = False
        self._run()

    def _run(self) -> None:
        bit = 0
        while bit + self._root < self._size and not self.ended:
            bad, bit = self._stretch(bit)
            if bad < 0:
                continue
            start = max(0, (bad >> 3) - _LEAD)
            found = self._resume(bad) if len(self.breaks) < _BREAKS else None
            bit = self._size if found is None else found
            self.breaks.append((start, min(self._size, bit) >> 3))

    def _stretch(self, bit: int, count: int = 0) -> tuple[int, int]:
        """Follow codes from `bit` to the next clear or end code, or `count` of them.

        Returns the bit where one is bad (or -1), and the bit to go on at.
        """
        clear = 1 << self._root
        offsets, widths, limits = _schedule(self._root, self._tiff)
        full = 12
        while True:
            at = bit + offsets
            inside = int(np.searchsorted(at + widths, self._size, side="right"))
            inside = min(inside, count) if count else inside
            codes = self._cut(at[:inside], widths[:inside])
            stops = np.flatnonzero((codes == clear) | (codes == clear + 1))
            stop = int(stops[0]) if stops.size else inside
            bad = np.flatnonzero(codes[:stop] > limits[:stop])
            if bad.size:
                return int(at[bad[0]]), bit
            if stop < inside:
                self.ended = not count and int(codes[stop]) == clear + 1
                return -1, int(at[stop] + widths[stop])
            if inside < at.size:
                return -1, self._size
            # The table is full, and no clear code came: GIF lets codes of 12 bits go on.
            bit = int(at[-1] + widths[-1])
            offsets = np.arange(_CODES) * full
            widths = np.full(_CODES, full)
            limits = np.full(_CODES, _CODES)

    def _cut(self, at: NDArray[np.int64], widths: NDArray[np.int64]) -> NDArray[np.int64]:
        words, phase = self._words[at >> 3].astype(np.int64), at & 7
        shift = 24 - phase - widths if self._tiff else phase
        codes: NDArray[np.int64] = (words >> shift) & ((1 << widths) - 1)
        return codes

    def _resume(self, bit: int) -> int | None:
        """Behind the next clear code after `bit`: one of any width, that good codes follow."""
        positions = np.arange(bit + 1, max(bit + 1, self._size - 12 - _TRUST * 9), dtype=np.int64)
        positions = positions[: 1 << 20]
        codes = self._cut(positions, np.full(positions.size, 12))
        for place in positions[codes == 1 << self._root][:_TRIES].tolist():
            bad, _ = self._stretch(place + 12, _TRUST)
            if bad < 0:
                return int(place) + 12
        return None


@cache
def _schedule(root: int, tiff: bool) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """For each code since a clear code: its bit offset, its width, and the largest value it may have."""
    clear = 1 << root
    # The first code adds no entry; after code i the next free entry is clear + 2 + i.
    free = np.maximum(clear + 1 + np.arange(_CODES - clear - 1), clear + 1)
    free[0] = clear + 1
    ahead = free + 1 if tiff else free
    widths = np.maximum(root + 1, np.frompyfunc(int.bit_length, 1, 1)(ahead.astype(object)).astype(np.int64))
    widths = np.minimum(widths, 12)
    limits = np.minimum(free, _CODES - 1)
    limits[0] = clear + 1
    offsets = np.concatenate(([0], np.cumsum(widths)[:-1]))
    return offsets, widths, limits
