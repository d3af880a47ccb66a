"""The pictures of WebP (RFC 9649), parsed to their last bit: VP8, VP8L, and planes of alpha.

What breaks a picture may be one bit or thousands of bytes. VP8L finds its way back behind most flipped bits:
of 288, half left the picture even, which is not seen, and 29 % more than 8 bytes out, those in its codes; of
288 strikes of 5 %, 6 % left it so near. A picture that is near is damaged; where one that is not was struck,
only its byte values may tell. VP8 never finds back: a bit and a kilobyte break it alike, and cannot be told
apart. Where it begins is seen (in 192 strikes: median 490 bytes behind, nine in ten within 2,100), where it
ends is not. Healthy pictures (330 by libwebp, of every quality and method) leave 0 to 7 bits of VP8L, and
16 to 31 of a partition of VP8; 1,026 more had no flaw.
"""

import numpy as np

from vigie.formats.media import vp8, vp8l
from vigie.formats.media.findings import Findings
from vigie.model import Blob, Kind

COST = 4
"""What parsing a byte takes of the effort."""
BLOCK = 4096
_MEAN, _CLEAR = 255.0, 30.0
"""Chi-square of a block of random bytes, and how far above it coded data may be told from them."""
_FEW = 4
"""Blocks among which some may be told from the others."""
NEAR = 8
"""Bytes left over or missing that one flipped bit may account for."""
_SLACK = -16, 64
"""Bits that a partition of VP8 may have left: what encoders fill it with, and none that are missing."""
_CELL = 64
"""So many bytes of at most two values stand in no coded data but that of flat areas: a disk left a hole."""


class Picture:
    """One bitstream in a blob, `[start, end)`: where it is, and where to say what is wrong with it."""

    __slots__ = ("_blob", "_end", "_findings", "_start")

    def __init__(self, blob: Blob, start: int, end: int, findings: Findings) -> None:
        self._blob = blob
        self._start = start
        self._end = end
        self._findings = findings

    def examine(self, name: bytes, effort: int, size: tuple[int, int] | None = None) -> int:
        """Parse it, if the effort allows; returns what that took.

        Args:
            name: of its chunk: VP8, VP8L or ALPH.
            effort: how much is left.
            size: columns and rows of a plane of alpha, which has no header.

        Raises:
            Unreadable: the blob cannot be read.
        """
        length = self._end - self._start
        if COST * length > effort or self._findings.flawed or (name == b"ALPH" and not size):
            self._opaque()
            return 0
        data = self._blob.at(self._start, length)
        known = self._alpha(data, size) if name == b"ALPH" else self._told(data, name)
        if known:
            self._findings.region(self._start, self._end, Kind.CODED, "picture")
        else:
            self._opaque()
        return COST * length

    def _opaque(self) -> None:
        self._findings.region(self._start, self._end, Kind.OPAQUE, "picture")
        self._findings.note("a picture whose coding is not tested")

    def _alpha(self, data: bytes, size: tuple[int, int] | None) -> bool:
        """RFC 9649, 2.7.1.2: a byte that says how the plane is compressed, then the plane."""
        return data[:1] != b"" and data[0] & 3 == 1 and self._lossless(data[1:], size)

    def _told(self, data: bytes, name: bytes) -> bool:
        return self._lossless(data, None) if name == b"VP8L" else self._lossy(data)

    def _lossless(self, data: bytes, size: tuple[int, int] | None) -> bool:
        found = vp8l.parse(data, size)
        if found is None or found.ending == vp8l.LARGE:
            return False
        left = len(data) - -(-found.bits // 8)
        if found.ending == vp8l.WHOLE and not left:
            return True
        if found.ending in (vp8l.WHOLE, vp8l.SHORT) and max(left, found.missing) <= NEAR:
            self._findings.flaw(self._end, self._end, "the picture does not end where its data does")
            return True
        begin = self._end - len(data)
        self._broken(data, begin, begin, _SAID[found.ending])
        return True

    def _lossy(self, data: bytes) -> bool:
        found = vp8.parse(data)
        if found is None:
            self._broken(data, self._start, self._start, "partitions that do not fit into their picture")
            return True
        low, high = _SLACK
        fits = all(low <= left <= high for left in found.left)
        odd = [place for count, place in (found.idle, found.empty) if count]
        # An encoder that ends blocks in zeros after all does so from the first rows on.
        if (fits and not odd) or (fits and min(odd) < found.edges[0] + BLOCK):
            return True
        place = self._start + min(odd, default=found.edges[0])
        begin = max(self._start, place - place % BLOCK)
        self._broken(data, self._start, begin, "more or fewer coefficients than the picture has")
        return True

    def _broken(self, data: bytes, base: int, begin: int, what: str) -> None:
        """What is flawed: a hole in the data that explains it, or all from `begin` on."""
        # Where it begins is known of VP8: the hole is there.
        low, high = (max(0, begin - base - BLOCK), begin - base + BLOCK) if begin > base else (0, len(data))
        hole = _hole(data[low:high])
        if hole is not None:
            self._findings.flaw(
                base + low + hole[0], base + low + hole[1], "bytes that no coder of pictures writes"
            )
        elif begin > base:
            self._findings.flaw(begin, self._end, what)
        else:
            first, last = _most_uniform(data, -base % BLOCK)
            self._findings.flaw(base + first, base + last, what)


_SAID = {
    vp8l.WHOLE: "data behind the last pixel",
    vp8l.PREFIX: "a prefix code that is none",
    vp8l.COPY: "pixels copied from where none are",
    vp8l.SHORT: "pixels that are missing",
    vp8l.TRANSFORM: "the same transform twice",
}


def _most_uniform(data: bytes, skip: int) -> tuple[int, int]:
    """The run of blocks from `skip` on that is closer to chance than to the others; without one, nearly all.

    Codes stand first in a picture, and look less random than what follows: a block of it is left out.
    """
    count = max(0, len(data) - skip) // BLOCK
    whole = np.frombuffer(data, np.uint8)[skip : skip + count * BLOCK].reshape(count, BLOCK)
    squares = [int(np.square(np.bincount(row, minlength=256)).sum()) for row in whole]
    found = np.array(squares, np.float64) * (256 / BLOCK) - BLOCK
    others = float(np.percentile(found, 75)) if count >= _FEW else _MEAN
    if others < _MEAN + _CLEAR:
        return min(BLOCK, len(data) // 2), len(data)
    sums = np.concatenate(([0.0], np.cumsum((others + _MEAN) / 2 - found)))
    last = int((sums - np.minimum.accumulate(sums)).argmax())
    first = int(sums[: last + 1].argmin())
    return skip + first * BLOCK, skip + last * BLOCK


def _hole(data: bytes) -> tuple[int, int] | None:
    """The first run of cells that hold two values at most."""
    count = len(data) // _CELL
    cells = np.sort(np.frombuffer(data, np.uint8, count * _CELL).reshape(count, _CELL), axis=1)
    empty = np.flatnonzero((np.diff(cells, axis=1) != 0).sum(axis=1) < 2)
    if not empty.size:
        return None
    breaks = np.flatnonzero(np.diff(empty) > 1)
    last = int(empty[breaks[0]]) if breaks.size else int(empty[-1])
    return int(empty[0]) * _CELL, (last + 1) * _CELL
