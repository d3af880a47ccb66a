"""PNG (W3C, third edition): every chunk's CRC-32 is verified, the image data inflated to its exact size.

Parsed by hand: libpng stops at the first chunk that is broken.
"""

import re
import struct
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from vigie.formats.archive.deflate import Stop, crc32
from vigie.formats.archive.deflate_resume import Trace, trace
from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.formats.media.png_rows import bad_rows
from vigie.formats.media.stuffing import narrowed
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RAW = 64 * 1024 * 1024
"""Largest decoded image that is inflated; the CRCs of its chunks are verified in any case."""
CHUNKS = 200_000
"""Chunks walked; a PNG of 8 KiB chunks reaches that at 1.6 GB."""
LONG = 12 * 1024
"""A chunk longer than this whose CRC fails is searched for the place; libpng writes chunks of 8 KiB."""
SHORT = 4096
"""Chunks up to this size are verified whatever the effort is."""
FLAWS = 1024
_SLACK = 64 * 1024
_TYPE = re.compile(rb"[A-Za-z]{4}")
_KNOWN = re.compile(rb"IDAT|fdAT|fcTL|IEND|tEXt|zTXt|iTXt|eXIf|tIME|PLTE")
_STRUCTURED = frozenset({b"IHDR", b"gAMA", b"cHRM", b"pHYs", b"tIME", b"IEND", b"sRGB", b"bKGD", b"sBIT"})
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Table 8: start and step of each pass of Adam7, in x and y.
_ADAM7 = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))


def recognises(head: bytes) -> bool:
    """The signature (section 5.2)."""
    return head.startswith(SIGNATURE)


def raw_size(header: bytes) -> int | None:
    """Bytes that the image data of this IHDR inflates to (sections 7 and 8), or nothing if impossible."""
    fields: tuple[int, ...] = struct.unpack(">IIBBBBB", header)
    width, height, depth, colour, method, filtering, interlace = fields
    if not (0 < width < 1 << 31 and 0 < height < 1 << 31) or colour not in _CHANNELS:
        return None
    if depth not in (1, 2, 4, 8, 16) or method or filtering or interlace > 1:
        return None
    bits = depth * _CHANNELS[colour]
    if not interlace:
        return height * (1 + (width * bits + 7) // 8)
    total = 0
    for x0, dx, y0, dy in _ADAM7:
        columns, rows = max(0, -(-(width - x0) // dx)), max(0, -(-(height - y0) // dy))
        if columns:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Chunks up to IEND (section 5.3).

    Raises:
        Malformed: no signature.
        Unreadable: the blob cannot be read.
    """
    if not recognises(blob.at(0, 8)):
        raise Malformed(0, "no PNG signature")
    walk = _Walk(blob, Effort(effort))
    walk.chunks()
    walk.image()
    return Anatomy("png", tuple(walk.regions), tuple(walk.flaws), walk.checked, tuple(walk.notes))


class _Walk:
    """One pass over the chunks."""

    def __init__(self, blob: Blob, effort: Effort) -> None:
        self.blob = blob
        self.effort = effort
        # Where the effort does not reach, the first chunk, and then one in so many.
        self.step = max(1, -(-blob.size // max(1, effort.left)))
        self.regions = [Region(0, 8, Kind.STRUCTURED, "signature")]
        self.flaws: list[Flaw] = []
        self.notes: list[str] = []
        self.checked = 0
        self.expected: int | None = None
        self.pitch = 0
        """Bytes of a row with its filter type; 0 where rows differ (interlaced)."""
        self.data: list[tuple[int, int]] = []

    def chunks(self) -> None:
        """Walk to IEND; after a broken chunk, go on at the next one whose CRC holds."""
        offset = 8
        for index in range(CHUNKS):
            kind, end = self._frame(offset)
            if not kind:
                offset = self._resume(offset)
                if offset >= self.blob.size:
                    return
                continue
            tested = not index % self.step or end - offset <= SHORT
            holds = self._verify(offset, end) if tested else None
            self._keep(kind, offset, end, holds)
            offset = end
            if kind == b"IEND":
                if offset < self.blob.size:
                    self.notes.append(f"{self.blob.size - offset} bytes after IEND")
                    self.regions.append(Region(offset, self.blob.size, Kind.OPAQUE, "bytes after IEND"))
                return
        self.notes.append(f"more than {CHUNKS} chunks: the rest is not tested")

    def image(self) -> None:
        """Inflate the IDAT chunks as the one stream they are (section 10.1)."""
        if not self.data or self.expected is None:
            if not self.flaws and not self.data:
                self.flaws.append(Flaw(8, self.blob.size, "no image data"))
            return
        joined = _Joined(self.blob, tuple(self.data))
        if self.flaws:
            if any(flaw.checksum and flaw.end - flaw.start > LONG for flaw in self.flaws):
                self._narrow(joined)
            return
        if self.expected > RAW or joined.size + self.expected > self.effort.left:
            self.notes.append("too large to inflate; the CRCs of its chunks hold")
            return
        start, end = self.data[0][0], self.data[-1][1]
        found = self._trace(joined)
        last = found.last
        if found.breaks or last.stop is Stop.SHORT or joined.at(0, 1)[0] & 15 != 8:
            self.flaws.append(Flaw(start, end, "the image data does not inflate"))
        elif last.size != self.expected:
            what = f"{self.expected} bytes of pixels expected, {last.size} found"
            self.flaws.append(Flaw(start, end, what))

    def _trace(self, joined: "_Joined") -> Trace:
        """Follow the zlib stream (RFC 1950) behind its header; more than the pixels is not asked for."""
        needed = (self.expected or 0) + 2 * joined.size + _SLACK
        # Apart from a chance end in the middle, streams end before their Adler-32, or with bytes to spare.
        return trace(joined, 2, joined.size, Effort(min(needed, self.effort.left)), lambda _: True)

    def _narrow(self, joined: "_Joined") -> None:
        """Cut the flaws of long chunks down to where the stream breaks, if that can be told."""
        found = trace(
            joined, 2, joined.size, self.effort, lambda last: joined.size - last.end <= _SLACK
        ).breaks
        stream = _Joined(self.blob, tuple(joined.places(2, joined.size)))
        rows = bad_rows(stream, self.pitch, self.effort) if self.pitch else None
        if rows is not None:
            # The rows tell the first place better, and also where zlib took no notice.
            start, end = rows[0] + 2, rows[1] + 2
            found = ((start, found[0][1]), *found[1:]) if found else ((start, end),)
        found = tuple(place for place in found if place[0] < place[1])
        breaks = [piece for start, end in found for piece in joined.places(start, end)]
        flaws: list[Flaw] = []
        for flaw in self.flaws:
            inside = [(max(a, flaw.start), min(b, flaw.end)) for a, b in breaks]
            inside = [place for place in inside if place[0] < place[1]]
            # Huffman codes often fall into step again: then only the CRC knows, and the chunk is flawed.
            if flaw.checksum and flaw.end - flaw.start > LONG and inside:
                flaws += [Flaw(*narrowed(self.blob, *place), flaw.what, checksum=True) for place in inside]
            else:
                flaws.append(flaw)
        self.flaws = flaws[:FLAWS]

    def _frame(self, offset: int) -> tuple[bytes, int]:
        """Type and end of the chunk at `offset`, or `b""` where there is none."""
        head = self.blob.at(offset, 8)
        length = int.from_bytes(head[:4], "big")
        if len(head) < 8 or not _TYPE.fullmatch(head[4:]) or offset + 12 + length > self.blob.size:
            return b"", offset
        return head[4:], offset + 12 + length

    def _verify(self, offset: int, end: int) -> bool | None:
        """Whether the CRC of a chunk holds (section 5.3); nothing where the effort is spent."""
        crc = crc32(self.blob, offset + 4, end - 4, self.effort)
        return None if crc is None else crc == int.from_bytes(self.blob.at(end - 4, 4), "big")

    def _keep(self, kind: bytes, offset: int, end: int, holds: bool | None) -> None:
        name = kind.decode("ascii")
        what = Kind.STRUCTURED if kind in _STRUCTURED else Kind.CODED
        self.regions.append(Region(offset, end, what, f"{name} chunk"))
        if holds is None:
            if "too long to verify all CRCs" not in self.notes:
                self.notes.append("too long to verify all CRCs")
        elif holds:
            self.checked += end - offset
        else:
            self.flaws.append(Flaw(offset, end, f"the CRC-32 of {name} does not match", checksum=True))
        if offset == 8:
            if kind == b"IHDR" and end == 33:
                self.expected = raw_size(self.blob.at(16, 13))
                height = int.from_bytes(self.blob.at(20, 4), "big")
                if self.expected is not None and not self.blob.at(28, 1)[0]:
                    self.pitch = self.expected // height
                if self.expected is None:
                    self.flaws.append(Flaw(offset, end, "an impossible image header"))
            elif kind == b"CgBI":
                self.notes.append("Apple's variant of PNG: the image is not inflated")
            else:
                self.flaws.append(Flaw(offset, end, f"{name} where IHDR must stand"))
        if kind == b"IDAT":
            self.data.append((offset + 8, end - 4))

    def _resume(self, offset: int) -> int:
        """The next chunk behind `offset` whose CRC holds, or the end; what lies between is flawed."""
        head = self.blob.at(offset, 8)
        plausible = len(head) < 8 or bool(_TYPE.fullmatch(head[4:]))
        place = self.blob.size
        for position in range(offset + 1, self.blob.size, 1 << 20):
            for match in _KNOWN.finditer(self.blob.at(position, (1 << 20) + 3)):
                start = position + match.start() - 4
                kind, end = self._frame(start) if start > offset else (b"", 0)
                if kind and self._verify(start, end):
                    place = start
                    break
            if place < self.blob.size:
                break
        if place == self.blob.size and plausible:
            self.flaws.append(Flaw(place, place, "the file ends inside a chunk"))
            # An overwritten length is not told from a cut: the bytes say which, so they are shown as well.
            if head:
                self.regions.append(Region(offset, place, Kind.CODED, "incomplete chunk"))
        else:
            self.flaws.append(Flaw(offset, place, "no chunk where one must begin"))
        return place


@dataclass(frozen=True, slots=True)
class _Joined:
    """The data of all IDAT chunks as one blob."""

    blob: Blob
    pieces: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        return sum(end - start for start, end in self.pieces)

    def _edges(self) -> list[int]:
        return [0, *accumulate(end - start for start, end in self.pieces)]

    def places(self, start: int, end: int) -> list[tuple[int, int]]:
        """Where `[start, end)` stands in the file."""
        edges = self._edges()
        index = bisect_right(edges, start) - 1
        found: list[tuple[int, int]] = []
        while index < len(self.pieces) and edges[index] < end:
            first, last = self.pieces[index]
            place = first + max(0, start - edges[index]), min(last, first + end - edges[index])
            if place[0] < place[1]:
                found.append(place)
            index += 1
        return found

    def at(self, offset: int, length: int) -> bytes:
        return b"".join(
            self.blob.at(first, last - first) for first, last in self.places(offset, offset + length)
        )


FORMAT = Format(
    name="png",
    title="PNG image",
    specification="W3C PNG (Third Edition) 5, 7, 8, 10",
    suffixes=("png", "apng"),
    recognises=recognises,
    dissect=dissect,
)
