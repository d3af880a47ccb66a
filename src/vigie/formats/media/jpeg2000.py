"""JPEG 2000 (ITU-T T.800): JP2 boxes, codestream markers, and the bit stuffing of every packet.

Packets hold no code above FF8F (B.10.1, D.4.1; T.814 keeps that for high throughput), which random bytes
break about 7 times in 4 KiB. Parsed by hand: decoders (OpenJPEG) decode rather than say where it is broken.
"""

import re

from vigie.formats.contract import EFFORT, Cursor, Effort, Format, Malformed
from vigie.formats.media.stuffing import Coded, Struck, spread
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
START = b"\xff\x4f\xff\x51"
"""SOC, and SIZ which must follow it (A.4.1, A.5.1)."""
PARTS = 50_000
"""Tile-parts and boxes walked of one file: a whole slide has some thousands."""
FLAWS = 1024
STRAY, STRAY_LAST = 16, 256
"""Bytes between a tile-part and the next one, or the end marker, that are no break."""
_SLICE = 1024 * 1024
_SEARCH = 64 * 1024 * 1024
_SOT, _SOD, _EOC, _COD = 0xFF90, 0xFF93, 0xFFD9, 0xFF52
_ABOVE = re.compile(rb"\xff[\x90-\xff]")
_ABOVE_SIGNPOSTS = re.compile(rb"\xff[\x90\x93-\xff]")  # FF91 and FF92 where COD allows them (A.8)
_SOP = b"\xff\x91\x00\x04"
_TILE = re.compile(rb"\xff\x90\x00\x0a")
_PLAIN = frozenset((b"ihdr", b"bpcc", b"cdef", b"cmap", b"res ", b"ftyp", b"jP  "))
_SUPER = frozenset((b"jp2h", b"jpch", b"jplh"))
_BOX = re.compile(rb"jp2c|jp2h|xml |uuid|uinf|asoc|jpch|jplh")


def recognises(head: bytes) -> bool:
    """The signature box (I.5.1), or SOC and SIZ with a length that SIZ may have."""
    if head.startswith(SIGNATURE):
        return True
    return head.startswith(START) and len(head) >= 6 and 41 <= int.from_bytes(head[4:6], "big") <= 49190


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The anatomy of a JP2 family file, or of a bare codestream.

    Raises:
        Malformed: it begins as neither.
        Unreadable: the blob cannot be read.
    """
    head = blob.at(0, 12)
    left = Effort(effort)
    if head.startswith(SIGNATURE):
        found = _boxes(blob, left)
    else:
        walk = _Codestream(blob, 0, blob.size, left)
        walk.run()
        found = walk.findings()
    return Anatomy("jpeg2000", found.regions, found.flaws, 0, found.notes)


def codestream(blob: Blob, start: int, end: int, effort: Effort) -> Coded:
    """What a codestream at `[start, end)` is made of: DICOM frames, PDF JPXDecode streams, TIFF tiles.

    Raises:
        Malformed: no codestream begins at `start`.
        Unreadable: the blob cannot be read.
    """
    walk = _Codestream(blob, start, end, effort)
    walk.run()
    return walk.findings()


class _Codestream:
    """One pass over the markers of a codestream (annex A) inside a blob."""

    def __init__(self, blob: Blob, start: int, end: int, effort: Effort) -> None:
        self.blob = blob
        self.start = start
        self.end = end
        self.effort = effort
        self.regions: list[Region] = []
        self.flaws: list[Flaw] = []
        self.notes: list[str] = []
        self.forbidden = _ABOVE

    def findings(self) -> Coded:
        """What was found so far."""
        return Coded(tuple(self.regions), tuple(self.flaws), tuple(dict.fromkeys(self.notes)))

    def run(self) -> None:
        """From SOC to EOC; after a broken place, on from the next tile-part that holds together."""
        if self.blob.at(self.start, min(4, self.end - self.start)) != START:
            raise Malformed(self.start, "no start of codestream (FF4F FF51)")
        offset = self._segments(self.start + 2, "main header")
        for _ in range(PARTS):
            if offset >= self.end:
                self.flaws.append(Flaw(self.end, self.end, "the codestream ends without its end marker"))
                return
            code = int.from_bytes(self.blob.at(offset, min(2, self.end - offset)), "big")
            if code == _EOC:
                self._trailer(offset)
                return
            stop = self._tile_end(offset)
            if stop is None:
                offset = self._resume(offset)
                continue
            body = self._segments(offset + 12, "tile-part header", offset)
            if body + 2 <= stop and self.blob.at(body, 2) == b"\xff\x93":
                self._packets(body + 2, min(stop, self.end))
            elif body < stop:
                # The header is broken, its length may still be right: the next tile-part says.
                self._lost(body, min(stop, self.end), "no start of data in the tile-part")
            offset = stop
        self.notes.append(f"more than {PARTS} tile-parts: the rest is not tested")

    def _segments(self, offset: int, what: str, begun: int | None = None) -> int:
        """Pass marker segments up to the first SOT, SOD, EOC, or to what is none; they make one region."""
        first = self.start if begun is None else begun
        while offset + 4 <= self.end:
            head = self.blob.at(offset, 5)
            code, length = int.from_bytes(head[:2], "big"), int.from_bytes(head[2:4], "big")
            if not 0xFF50 <= code <= 0xFF8F or length < 2 or offset + 2 + length > self.end:
                break
            if code == _COD and head[4] & 0b110:  # A.6.1: SOP or EPH may be used
                self.forbidden = _ABOVE_SIGNPOSTS
            offset += 2 + length
        # A comment, or packed packet headers (PPM, PPT), may hold anything.
        self.regions.append(Region(first, min(offset, self.end), Kind.OPAQUE, what))
        return offset

    def _tile_end(self, offset: int) -> int | None:
        """Where the tile-part at `offset` ends (A.4.2); it may lie behind the end of what there is."""
        head = self.blob.at(offset, min(12, self.end - offset))
        if len(head) < 12 or head[:4] != b"\xff\x90\x00\x0a":
            return None
        length = int.from_bytes(head[6:10], "big")
        if not length:  # the last one: up to EOC
            tail = max(offset + 12, self.end - 64)
            found = self.blob.at(tail, self.end - tail).rfind(b"\xff\xd9")
            return tail + found if found >= 0 else self.end
        return offset + length if length >= 14 else None

    def _packets(self, start: int, stop: int) -> None:
        self.regions.append(Region(start, stop, Kind.CODED, "packets"))
        places = spread(start, stop, self.effort)
        if places != [(start, stop)]:
            self.notes.append("too long to test all packets")
        struck = Struck()
        for first, last in places:
            for base in range(first, last, _SLICE):
                window = self.blob.at(base, min(_SLICE + 1, last - base))
                for match in self.forbidden.finditer(window):
                    if not self._numbered(base + match.start()):
                        struck.add(base + match.start())
        self.flaws += struck.flaws(start, stop, "a code above FF8F inside a packet")

    def _numbered(self, position: int) -> bool:
        """Whether the code is the counter of a SOP segment, which may have any value (A.8.1)."""
        if self.forbidden is _ABOVE:
            return False
        before = self.blob.at(max(self.start, position - 5), 5)
        return before.startswith(_SOP) or before[1:5] == _SOP

    def _resume(self, offset: int) -> int:
        """The next tile-part, or the end marker; what lies between is flawed."""
        found = self.end
        for base in range(offset + 1, min(self.end, offset + _SEARCH), _SLICE):
            window = self.blob.at(base, min(_SLICE + 3, self.end - base))
            for match in _TILE.finditer(window):
                stop = self._tile_end(base + match.start())
                if stop is not None and self._joins(stop):
                    found = base + match.start()
                    break
            if found < self.end:
                break
        if found == self.end and offset < self.end - 2 and self.blob.at(self.end - 2, 2) == b"\xff\xd9":
            found = self.end - 2
        last = self.blob.at(found, 2) == b"\xff\xd9"
        if found < self.end and found - offset <= (STRAY_LAST if last else STRAY):
            # Some encoders give tile-parts a few bytes too short: 8 to 80 in images of the NEMA set.
            self.notes.append(f"{found - offset} bytes behind a tile-part that its length leaves out")
            self.regions.append(Region(offset, found, Kind.OPAQUE, "bytes behind a tile-part"))
        else:
            self._lost(offset, found, "no tile-part where one must begin")
        return found

    def _joins(self, stop: int) -> bool:
        """Whether a tile-part that ends there ends well: at another, or at the end marker."""
        return stop <= self.end and self.blob.at(stop, 2) in (b"\xff\x90", b"\xff\xd9")

    def _lost(self, start: int, end: int, what: str) -> None:
        self.regions.append(Region(start, end, Kind.CODED, "unreadable part of the codestream"))
        if len(self.flaws) < FLAWS:
            self.flaws.append(Flaw(start, end, what))

    def _trailer(self, offset: int) -> None:
        self.regions.append(Region(offset, offset + 2, Kind.STRUCTURED, "end of codestream"))
        if offset + 2 < self.end:
            # Encoders and DICOM pad to an even length.
            if self.end - offset > 4:
                self.notes.append(f"{self.end - offset - 2} bytes behind the end of the codestream")
            self.regions.append(Region(offset + 2, self.end, Kind.OPAQUE, "bytes behind the codestream"))


def _boxes(blob: Blob, effort: Effort) -> Coded:
    """The boxes of a JP2 family file (I.4), superboxes entered."""
    regions: list[Region] = []
    flaws: list[Flaw] = []
    notes: list[str] = []
    cursor = Cursor(blob)
    streams = 0
    for _ in range(PARTS):
        if cursor.offset >= blob.size:
            break
        start = cursor.offset
        kind, body, end = _box(cursor)
        if not kind:
            found = _next_box(blob, start)
            regions.append(Region(start, found, Kind.CODED, "unreadable boxes"))
            flaws.append(Flaw(start, found, "no box where one must begin"))
            cursor.offset = found
            continue
        name = kind.decode("latin-1").strip()
        if kind in _SUPER:
            regions.append(Region(start, body, Kind.STRUCTURED, f"{name} box"))
            cursor.offset = body
            continue
        if kind == b"jp2c":
            streams += 1
            regions.append(Region(start, body, Kind.STRUCTURED, "jp2c box"))
            _embedded(blob, body, min(end, blob.size), effort, regions, flaws, notes)
        else:
            what = Kind.STRUCTURED if kind in _PLAIN else Kind.OPAQUE
            regions.append(Region(start, min(end, blob.size), what, f"{name} box"))
        if end > blob.size:
            flaws.append(Flaw(blob.size, blob.size, f"the file ends inside the {name} box"))
        cursor.offset = min(end, blob.size)
    else:
        notes.append(f"more than {PARTS} boxes: the rest is not tested")
    if not streams and not flaws:
        notes.append("no codestream in it")
    return Coded(tuple(regions), tuple(flaws[:FLAWS]), tuple(dict.fromkeys(notes)))


def _embedded(
    blob: Blob,
    start: int,
    end: int,
    effort: Effort,
    regions: list[Region],
    flaws: list[Flaw],
    notes: list[str],
) -> None:
    try:
        found = codestream(blob, start, end, effort)
    except Malformed as malformed:
        regions.append(Region(start, end, Kind.CODED, "codestream"))
        flaws.append(Flaw(start, end, malformed.what))
        return
    regions += found.regions
    flaws += found.flaws
    notes += found.notes


def _box(cursor: Cursor) -> tuple[bytes, int, int]:
    """Type, body and end of the box at the cursor; no type where none stands there (I.4)."""
    head = cursor.peek(16)
    start, size = cursor.offset, cursor.offset + cursor.left
    length, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if len(kind) < 4 or not all(0x20 <= byte < 0x7F for byte in kind):
        return b"", start, start
    if length == 0:
        return kind, start + 8, size
    if length == 1:
        length = int.from_bytes(head[8:16], "big")
        return (kind, start + 16, start + length) if length >= 16 else (b"", start, start)
    return (kind, start + 8, start + length) if length >= 8 else (b"", start, start)


def _next_box(blob: Blob, offset: int) -> int:
    """The next box of a kind that stands at the top level, or the end."""
    for base in range(offset + 1, min(blob.size, offset + _SEARCH), _SLICE):
        for match in _BOX.finditer(blob.at(base, _SLICE + 3)):
            start = base + match.start() - 4
            if start <= offset:
                continue
            kind, body, end = _box(Cursor(blob, start))
            fits = bool(kind) and end <= blob.size
            if fits and (match.group() != b"jp2c" or blob.at(body, 4) == START):
                return start
    return blob.size


FORMAT = Format(
    name="jpeg2000",
    title="JPEG 2000 image",
    specification="ITU-T T.800 annexes A and I",
    suffixes=("jp2", "j2k", "j2c", "jpc", "jpf", "jpx", "jpm", "jph", "jhc"),
    recognises=recognises,
    dissect=dissect,
)
