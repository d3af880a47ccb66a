"""JPEG (ITU-T T.81, annex B): marker segments, and the byte stuffing of every entropy-coded scan.

Inside a scan a byte FF may be followed only by 00 (stuffing), D0 to D7 (restart) or the marker that ends the
scan (B.1.1.5). Random bytes break that about 15 times in 4 KiB, which is how an overwritten scan shows. Scans
whose stuffing holds are decoded as well (`jpeg_huffman`): that finds overwrites too short to hold a marker.

Parsed by hand: decoders conceal what is broken, where this must say it.
"""

import re
from collections.abc import Iterator

from vigie.formats.contract import EFFORT, Effort, Format, Malformed
from vigie.formats.media.jpeg_huffman import Coding, decode
from vigie.formats.media.jpeg_tables import SOF, segment_fault
from vigie.formats.media.stuffing import BLOCK, Coded, Struck, spread
from vigie.model import Anatomy, Blob, Flaw, Kind, Region

DECODED = 64 * 1024 * 1024
"""Scans up to this size are decoded: they are read into memory for it."""
SMALL = 64 * 1024
"""Scans up to this size, where an overwrite of 1 % may be too short to break the stuffing, are shown around
the block that burst. In a larger one a flipped bit is likelier, and not told from a short overwrite: it is
damage, and an empty range."""
BEFORE, BEHIND = 512, 128
"""Bytes shown around the block that burst first: decoding goes astray a little before it shows."""
CHAIN = 64
"""Segments that may stand between two scans before one must see a scan or the end."""
SEGMENTS = 100_000
"""Segments read of one image; a progressive one of the largest size has some hundreds."""
SKIP = 64 * 1024
"""Bytes searched for the next segment where one should stand."""
COST = 4
"""What decoding takes of the effort a byte: it is that much slower than reading."""
_SLICE = 1024 * 1024
_FIRST_SLICE = 16 * 1024
_EOI, _SOS, _DHT, _DRI, _COM = 0xD9, 0xDA, 0xC4, 0xDD, 0xFE
_JPEG_LS = 0xF7
_SUSPECT = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_FIRST = frozenset({0xC0, 0xC1, 0xC2, _DHT, 0xDB, 0xDD, *range(0xE0, 0xF0), _COM})
_NEXT_MARKER = re.compile(rb"\xff[\xc0-\xc4\xd9-\xdd\xe0-\xfe]")


def recognises(head: bytes) -> bool:
    """SOI and a first segment of a kind that may follow it, of sane length (B.2.1)."""
    return head.startswith(b"\xff\xd8\xff") and len(head) >= 6 and head[3] in _FIRST and head[4:6] >= b"\0\2"


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """The anatomy of one image, and of nothing behind its EOI.

    Raises:
        Malformed: no SOI.
        Unreadable: the blob cannot be read.
    """
    found = image(blob, 0, blob.size, Effort(effort))
    return Anatomy("jpeg", found.regions, found.flaws, 0, found.notes)


def image(blob: Blob, start: int, end: int, effort: Effort) -> Coded:
    """What an image at `[start, end)` is made of: DICOM frames, PDF DCTDecode streams, TIFF strips.

    Raises:
        Malformed: no SOI at `start`.
        Unreadable: the blob cannot be read.
    """
    walk = Walk(blob, start, end, effort)
    walk.run()
    return Coded(tuple(walk.regions), tuple(walk.flaws), tuple(dict.fromkeys(walk.notes)))


class Walk:
    """One pass over an image at `[start, end)` of a blob."""

    def __init__(self, blob: Blob, start: int, end: int, effort: Effort | None = None) -> None:
        self.blob = blob
        self.effort = effort or Effort()
        self.start = start
        self.end = end
        self.regions: list[Region] = []
        self.flaws: list[Flaw] = []
        self.notes: list[str] = []
        self._components: bytes = b""
        self._bit_stuffed = False
        self._coding = Coding()

    def run(self) -> None:
        """Walk from SOI to EOI.

        Raises:
            Malformed: no SOI.
            Unreadable: the blob cannot be read.
        """
        if self.blob.at(self.start, min(2, self.end - self.start)) != b"\xff\xd8":
            raise Malformed(self.start, "no JPEG start of image")
        self.regions.append(Region(self.start, self.start + 2, Kind.STRUCTURED, "start of image"))
        offset = self.start + 2
        while offset < self.end:
            if len(self.regions) > SEGMENTS:
                self.notes.append("more segments than are read")
                self.regions.append(Region(offset, self.end, Kind.OPAQUE, "segments that are not read"))
                return
            marker, size = self._segment(offset)
            if marker == _EOI:
                self.regions.append(Region(offset, offset + size, Kind.STRUCTURED, "end of image"))
                self._trailer(offset + size)
                return
            if not size:
                offset = self._search(offset)
                continue
            self._keep(marker, offset, size)
            offset += size
            if marker == _SOS:
                offset = self._scan(offset, self.blob.at(offset - size, size))
        self.flaws.append(Flaw(self.end, self.end, "the file ends before the end of image"))

    def _segment(self, offset: int) -> tuple[int, int]:
        """Marker and size of the sane segment at `offset`, fill bytes included; size 0 where is none."""
        head = self.blob.at(offset, min(16, self.end - offset))
        fill = 0
        while head[fill : fill + 2] == b"\xff\xff":
            fill += 1
        head = head[fill:]
        if len(head) < 2 or head[0] != 0xFF:
            return 0, 0
        marker = head[1]
        if marker == _EOI:
            return marker, fill + 2
        length = int.from_bytes(head[2:4], "big")
        if (
            marker < 0xC0
            or marker in range(0xD0, 0xD9)
            or length < 2
            or offset + fill + 2 + length > self.end
        ):
            return marker, 0
        if marker < 0xE0:
            body = self.blob.at(offset + fill + 4, length - 2)
            if segment_fault(marker, body, self._components):
                return marker, 0
        return marker, fill + 2 + length

    def _keep(self, marker: int, offset: int, size: int) -> None:
        kind, what = Kind.STRUCTURED, f"segment FF{marker:02X}"
        if marker in SOF or marker in (_JPEG_LS, _DHT, _DRI):
            body = self.blob.at(offset, size).lstrip(b"\xff")[3:]
            if marker == _DHT:
                kind, what = Kind.CODED, "Huffman tables"  # up to 162 different bytes a table
                self._coding.define(body)
            elif marker == _DRI:
                self._coding.restart = int.from_bytes(body, "big")
            else:
                what = "frame header"
                self._components = body[6::3]
                self._bit_stuffed = marker == _JPEG_LS
                self._coding.process, self._coding.frame = marker, body
        elif marker >= 0xE0:
            kind, what = Kind.OPAQUE, "comment" if marker == _COM else f"application data APP{marker - 0xE0}"
        self.regions.append(Region(offset, offset + size, kind, what))

    def _scan(self, start: int, header: bytes) -> int:
        """Test the scan that starts at `start`; returns where it ends: at a sane marker, or the end."""
        if self._bit_stuffed:
            self.notes.append("JPEG-LS: the scan is not tested")
            self.regions.append(Region(start, self.end, Kind.OPAQUE, "JPEG-LS scan"))
            return self.end
        if self.effort.left < self.end - start:
            return self._glimpsed(start)
        stop, last = self.end, -BLOCK
        struck = Struck()
        for position in self._suspects(start, self.end):
            if self._ends_scan(position, violated=position - last < BLOCK):
                stop = position
                break
            last = position
            struck.add(position)
        self.effort.spend(stop - start)
        self.regions.append(Region(start, stop, Kind.CODED, "entropy-coded scan"))
        flaws = struck.flaws(start, stop, "byte stuffing is broken in the scan")
        self.flaws += flaws or self._decoded(start, stop, header.lstrip(b"\xff")[3:])
        return stop

    def _decoded(self, start: int, stop: int, header: bytes) -> list[Flaw]:
        """What decoding finds broken in a scan whose stuffing holds."""
        size = stop - start
        if size > DECODED or size * COST > self.effort.left or stop == self.end:
            return []
        self.effort.spend(size * COST)
        result = decode(self.blob.at(start, size), self._coding, header)
        if result is None:
            return []
        if result.places:
            # Behind the first place the codes may be out of step for long: what follows says nothing.
            at = start + result.places[0]
            where = (max(start, at - BEFORE), min(stop, at + BEHIND)) if size <= SMALL else (at, at)
            return [Flaw(*where, "Huffman codes of the scan that no encoder writes")]
        if result.short:
            # In the scan: the marker behind it is sound, though what surrounds it looks random.
            return [Flaw(stop - 1, stop - 1, "the scan holds another number of blocks than the image")]
        return []

    def _glimpsed(self, start: int) -> int:
        """Test what the effort reaches of all scans at once; they are taken to end with the last EOI."""
        tail = max(start, self.end - _FIRST_SLICE)
        found = self.blob.at(tail, self.end - tail).rfind(b"\xff\xd9")
        stop = tail + found if found >= 0 else self.end
        struck = Struck()
        for first, last in spread(start, stop, self.effort):
            sane = first
            for position in self._suspects(first, last):
                if position >= sane:
                    sane = self._chain(position)
                    if not sane:
                        struck.add(position)
        self.notes.append("too long to test all of the scan")
        self.regions.append(Region(start, stop, Kind.CODED, "entropy-coded scans"))
        self.flaws += struck.flaws(start, stop, "byte stuffing is broken in the scan")
        return stop

    def _chain(self, offset: int) -> int:
        """Where the segments between two scans end that begin at `offset`; 0 if none do."""
        for _ in range(CHAIN):
            marker, size = self._segment(offset)
            if not size:
                return 0
            offset += size
            if marker in (_EOI, _SOS):
                return offset
        return 0

    def _suspects(self, start: int, end: int) -> Iterator[int]:
        """Where FF is followed by what is neither stuffing nor a restart marker."""
        base, length = start, _FIRST_SLICE
        while base < end:
            window = self.blob.at(base, min(length + 1, end - base))
            for match in _SUSPECT.finditer(window):
                yield base + match.start()
            base += length
            length = min(2 * length, _SLICE)

    def _ends_scan(self, position: int, *, violated: bool) -> bool:
        """Whether a marker within a scan is real: sane segments follow, up to the next scan or the end.

        Where the stuffing was `violated` just before, an end of image is believed only if nothing follows
        it, or another image: in random bytes it stands by chance every 64 KiB.
        """
        offset = position
        for count in range(CHAIN):
            marker, size = self._segment(offset)
            if not size:
                return False
            offset += size
            if marker == _EOI:
                if violated and offset < self.end:
                    return self.blob.at(offset, 3) == b"\xff\xd8\xff"
                return bool(count) or not self._scan_goes_on(offset)
            if marker == _SOS:
                return True
        return False

    def _scan_goes_on(self, offset: int) -> bool:
        """Whether an end of image stands there by chance, amid overwritten bytes: the scan resumes behind it.

        So it is when the very last bytes are another end of image, no image starts in between, and the
        last block before it is stuffed as a scan is. What cameras append looks otherwise.
        """
        if self.end - offset < 64 or self.blob.at(self.end - 2, 2) != b"\xff\xd9":
            return False
        between = self.blob.at(offset, min(_SLICE, self.end - offset))
        if b"\xff\xd8\xff" in between:
            return False
        tail = self.blob.at(max(offset, self.end - 2 - BLOCK), min(BLOCK, self.end - 2 - offset))
        half = tail[len(tail) // 2 :]
        return b"\xff\x00" in half and not _SUSPECT.search(half)

    def _search(self, offset: int) -> int:
        """The next sane segment where none stands at `offset`; what is skipped is a flaw unless zero."""
        window = self.blob.at(offset, min(SKIP, self.end - offset))
        found = self.end
        for match in _NEXT_MARKER.finditer(window, 1):
            marker, size = self._segment(offset + match.start())
            if size and (marker != _EOI or offset + match.start() + 2 >= self.end - 16):
                found = offset + match.start()
                break
        if window[: found - offset].strip(b"\0"):
            self.flaws.append(Flaw(offset, found, "no segment where one must begin"))
        return found

    def _trailer(self, offset: int) -> None:
        """What stands behind the end of image: a second picture, a film, a maker's data."""
        if offset < self.end:
            self.notes.append(f"{self.end - offset} bytes behind the end of image")
            self.regions.append(Region(offset, self.end, Kind.OPAQUE, "bytes behind the end of image"))


FORMAT = Format(
    name="jpeg",
    title="JPEG image",
    specification="ITU-T T.81 annex B",
    suffixes=("jpg", "jpeg", "jpe", "jfif"),
    recognises=recognises,
    dissect=dissect,
)
