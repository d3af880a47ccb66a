"""GIF (89a specification): blocks to the trailer, sub-blocks, and the LZW codes of every image.

Where a length byte was overwritten the chain of sub-blocks is lost; encoders write sub-blocks of one length,
so it is found again by that stride, and the LZW codes say what was hit.
"""

from bisect import bisect_right

import numpy as np

from vigie.formats.contract import EFFORT, Cursor, Effort, Format, Malformed
from vigie.formats.media.findings import Findings
from vigie.formats.media.lzw import Lzw
from vigie.model import Anatomy, Blob, Kind

BLOCKS = 1_000_000
"""Sub-blocks walked of one file: 255 MB."""
STREAM = 8 * 1024 * 1024
"""Largest stream whose codes are tested."""
COST = 8
"""What testing codes takes of the effort a byte."""
_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_SEARCH = 1024 * 1024
_STRIDE = 64
"""Shortest first sub-block whose length is taken for that of all."""


def recognises(head: bytes) -> bool:
    """Signature and version (section 17)."""
    return head.startswith((b"GIF87a", b"GIF89a"))


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Blocks up to the trailer.

    Raises:
        Malformed: no signature, or the file ends inside the header.
        Unreadable: the blob cannot be read.
    """
    if not recognises(blob.at(0, 6)):
        raise Malformed(0, "no GIF signature")
    walk = _Walk(blob, Effort(effort))
    walk.run()
    return walk.found.anatomy("gif")


class _Walk:
    """One pass over the blocks."""

    def __init__(self, blob: Blob, effort: Effort) -> None:
        self.blob = blob
        self.effort = effort
        self.found = Findings(blob.size)
        self.cursor = Cursor(blob)
        self.left = BLOCKS
        self.images = 0

    def run(self) -> None:
        """Walk to the trailer; behind a broken block, on from the next one that stands."""
        self.cursor.skip(6, "the signature")
        flags = self.cursor.take(7, "the screen descriptor")[4]
        self.found.region(0, 13, Kind.STRUCTURED, "header")
        self._palette(flags)
        size = self.blob.size
        while self.cursor.left:
            start = self.cursor.offset
            if self.left <= 0 or self.effort.left <= 0:
                self.found.note(f"too long to test all of it: untested from byte {start}")
                return
            if self.cursor.peek(1)[0] == _TRAILER:
                self._end(start)
                return
            try:
                whole = self._block(start)
            except Malformed as cut:
                self.found.flaw(size, size, cut.what)
                return
            if not whole:
                place = self._resume(start)
                self.found.flaw(start, place, "no block where one must begin")
                self.cursor.offset = place
        if self.images and not self.found.flawed:
            self.found.note("no trailer")  # some programs leave it out
        else:
            self.found.flaw(size, size, "the file ends before its trailer")

    def _end(self, start: int) -> None:
        self.found.region(start, start + 1, Kind.STRUCTURED, "trailer")
        if start + 1 < self.blob.size:
            self.found.note(f"{self.blob.size - start - 1} bytes behind the trailer")
            self.found.region(start + 1, self.blob.size, Kind.OPAQUE, "bytes behind the trailer")
        if not self.images:
            self.found.note("no image in it")

    def _palette(self, flags: int) -> None:
        """A colour table (sections 19, 21): any bytes."""
        if flags & 0x80:
            start = self.cursor.offset
            self.cursor.skip(3 << ((flags & 7) + 1), "a colour table")
            self.found.region(start, self.cursor.offset, Kind.OPAQUE, "colour table")

    def _block(self, start: int) -> bool:
        """Take one block; whether there was one.

        Raises:
            Malformed: the file ends inside it.
        """
        head = self.cursor.peek(11)
        if head[0] == _EXTENSION:
            self.cursor.skip(2, "an extension")
            self._sub_blocks()
            self.found.region(start, self.cursor.offset, Kind.OPAQUE, "extension")
            return True
        if head[0] != _IMAGE:
            return False
        flags = self.cursor.take(10, "an image descriptor")[9]
        self.found.region(start, start + 10, Kind.STRUCTURED, "image descriptor")
        self._palette(flags)
        root = self.cursor.take(1, "the code size")[0]
        begin = self.cursor.offset
        if not 2 <= root <= 8:
            self.found.flaw(begin - 1, min(self.blob.size, begin + 255), f"codes of {root} bits")
            root = 0
        self.images += 1
        cut: Malformed | None = None
        try:
            pieces = self._sub_blocks()
        except Malformed as short:
            cut, pieces = short, []
        lost = -1
        if cut is not None or self.cursor.peek(1) not in (b"\x21", b"\x2c", b"\x3b"):
            strided = self._strided(begin)
            if not strided:
                strided, lost = self._leading(begin)
            pieces = strided or pieces
        if not pieces and cut is not None:
            self.found.region(begin, self.blob.size, Kind.CODED, "image that is cut")
            raise cut
        self.found.region(begin, self.cursor.offset, Kind.CODED, "image")
        if root:
            self._codes(pieces, root)
        if lost >= 0:
            self.found.flaw(lost, self.cursor.offset, "sub-blocks that leave their stride")
        return True

    def _sub_blocks(self) -> list[tuple[int, int]]:
        """Start and length of each sub-block up to the terminator (section 15).

        Raises:
            Malformed: the file ends before it.
        """
        pieces: list[tuple[int, int]] = []
        while length := self.cursor.take(1, "sub-blocks")[0]:
            pieces.append((self.cursor.offset, length))
            self.cursor.skip(length, "a sub-block")
            self.left -= 1
            self.effort.spend(length)
            if self.left <= 0 or self.effort.left <= 0:
                break
        return pieces

    def _strided(self, begin: int) -> list[tuple[int, int]]:
        """The sub-blocks from `begin`, taken to be of one length; moves the cursor behind them."""
        length = self.blob.at(begin, 1)[0] if begin < self.blob.size else 0
        if length < _STRIDE:
            return []
        data = np.frombuffer(self.blob.at(begin, min(STREAM, self.blob.size - begin)), np.uint8)
        marks = data[:: length + 1]
        last = int(np.flatnonzero(marks == length)[-1])
        behind = begin + (last + 1) * (length + 1)
        tail = self.blob.at(behind, 1)
        rest = tail[0] if tail else 0
        if behind > self.blob.size or (rest and self.blob.at(behind + 1 + rest, 1) != b"\0"):
            return []
        if self.blob.at(behind + (rest + 2 if rest else 1), 1) not in (b"\x21", b"\x2c", b"\x3b", b""):
            return []
        pieces = [(begin + at * (length + 1) + 1, length) for at in range(last + 1)]
        self.cursor.offset = min(self.blob.size, behind + (rest + 2 if rest else 1))
        return [*pieces, (behind + 1, rest)] if rest else pieces

    def _leading(self, begin: int) -> tuple[list[tuple[int, int]], int]:
        """The sub-blocks of one length that lead an image, and where the first other byte stands.

        Encoders write a shorter one only at the end, and that is not where it ends. Moves the cursor to where
        blocks begin again. Nothing if the image is merely cut, or its sub-blocks have no common length.
        """
        length = self.blob.at(begin, 1)[0] if begin < self.blob.size else 0
        data = np.frombuffer(self.blob.at(begin, min(STREAM, self.blob.size - begin)), np.uint8)
        others = np.flatnonzero(data[:: length + 1] != length)
        if length < _STRIDE or not others.size or others[0] < 2:
            return [], -1
        count = int(others[0])
        lost = begin + count * (length + 1)
        rest = self.blob.at(lost, 1)[0]
        if lost + 1 + rest >= self.blob.size:
            return [], -1
        self.cursor.offset = self._resume(lost)
        return [(begin + at * (length + 1) + 1, length) for at in range(count)], lost

    def _codes(self, pieces: list[tuple[int, int]], root: int) -> None:
        """Hold the codes of one image to the grammar of LZW (appendix F)."""
        size = sum(length for _, length in pieces)
        if size > STREAM or size * COST > self.effort.left:
            self.found.note("too long to test all images")
            return
        self.effort.spend(size * COST)
        first, last = pieces[0][0] if pieces else 0, sum(pieces[-1]) if pieces else 0
        raw = self.blob.at(first, last - first)
        data = b"".join(raw[at - first : at - first + length] for at, length in pieces)
        starts = [0]
        for _, length in pieces[:-1]:
            starts.append(starts[-1] + length)

        def place(at: int) -> int:
            index = bisect_right(starts, at) - 1
            return pieces[index][0] + at - starts[index]

        for begin, end in Lzw(data, root=root, tiff=False).breaks:
            self.found.flaw(place(begin), min(last, place(end)), "codes that LZW cannot have")

    def _resume(self, offset: int) -> int:
        """The next extension that a terminator precedes, or the trailer, or the end."""
        window = self.blob.at(offset, min(_SEARCH, self.blob.size - offset))
        found = window.find(b"\0\x21\xf9\x04")
        if found >= 0:
            return offset + found + 1
        size = self.blob.size
        return size - 1 if size - 1 > offset and self.blob.at(size - 2, 2) == b"\0\x3b" else size


FORMAT = Format(
    name="gif",
    title="GIF image",
    specification="GIF89a sections 15 to 27, appendix F",
    suffixes=("gif",),
    recognises=recognises,
    dissect=dissect,
)
