"""Matroska and WebM (RFC 9559, on EBML, RFC 8794): elements, each with its length, that chain.

Clusters hold blocks; where the codec is H.264, H.265 or AV1, the lengths inside a block chain as well. After
a lost element the walk goes on at the next cluster, or where three blocks follow each other.
"""

import re
from dataclasses import dataclass

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.media.findings import Findings
from vigie.formats.media.nal import broken_obus, broken_units
from vigie.formats.media.stretch import uniform_part
from vigie.model import Anatomy, Blob, Kind

ELEMENTS = 500_000
"""Elements walked: three hours of picture and sound."""
COST = 512
"""Effort that one element takes."""
_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_TRACKS, _TRACK = 0x1654AE6B, 0xAE
_TOP = {
    0x114D9B74: "seek table",
    0x1549A966: "information",
    _TRACKS: "tracks",
    0x1C53BB6B: "cue table",
    0x1941A469: "attachments",
    0x1043A770: "chapters",
    0x1254C367: "tags",
    0xEC: "void",
    0xBF: "checksum",
}
_STRUCTURED = frozenset({0x114D9B74, 0x1C53BB6B})
_LARGE = frozenset({_CLUSTER, 0x1C53BB6B})
_SIMPLE, _GROUP, _BLOCK = 0xA3, 0xA0, 0xA1
_INSIDE = frozenset({0xE7, _SIMPLE, _GROUP, 0xAB, 0xA7, 0x5854, 0xAF, 0xEC, 0xBF})
_KNOWN = _INSIDE.union(_TOP)
# A cluster, the cue table, or a block whose length has two to four bytes.
_NEXT = re.compile(rb"\x1f\x43\xb6\x75|\x1c\x53\xbb\x6b|[\xa0\xa3][\x10-\xff]")


@dataclass(frozen=True, slots=True)
class _Element:
    id: int
    content: int
    end: int | None
    """Nothing where the length is unknown, as in a live recording (RFC 8794, 6.2)."""


def element(data: bytes, base: int) -> _Element | None:
    """The element whose header `data` begins with, at offset `base` (RFC 8794, 4 and 5)."""
    if len(data) < 2 or not data[0] >> 4:
        return None
    width = 9 - data[0].bit_length()
    first = data[width] if len(data) > width else 0
    length = 9 - first.bit_length()
    if not first or len(data) < width + length:
        return None
    size = int.from_bytes(data[width : width + length], "big") & ((1 << 7 * length) - 1)
    content = base + width + length
    unknown = size == (1 << 7 * length) - 1
    return _Element(int.from_bytes(data[:width], "big"), content, None if unknown else content + size)


def recognises(head: bytes) -> bool:
    """An EBML header of sane length with a document type in it (RFC 8794, 11.2)."""
    found = element(head[:12], 0) if head.startswith(b"\x1a\x45\xdf\xa3") else None
    return found is not None and found.end is not None and b"\x42\x82" in head[: min(found.end, 512)]


def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
    """Header, segment, clusters and blocks.

    Raises:
        Malformed: no EBML header, or no segment behind it.
        Unreadable: the blob cannot be read.
    """
    if not recognises(blob.at(0, 4096)):
        raise Malformed(0, "no EBML header")
    walk = _Walk(blob, effort)
    walk.run()
    return walk.findings.anatomy("matroska")


class _Walk:
    """One pass over the elements, clusters entered."""

    def __init__(self, blob: Blob, effort: int) -> None:
        self.blob = blob
        self.left = max(1000, min(ELEMENTS, effort // COST))
        self.findings = Findings(blob.size)
        self.widths: dict[int, int] = {}
        """NAL length width of each track that has one; 0 for AV1."""
        self._base, self._data = 0, b""

    def at(self, offset: int) -> _Element | None:
        """The element at an offset."""
        index = offset - self._base
        if not 0 <= index <= len(self._data) - 16:
            self._base, self._data, index = offset, self.blob.at(offset, 16384), 0
        return element(self._data[index : index + 16], offset)

    def run(self) -> None:
        """Walk to the end of the file."""
        header = self.at(0)
        offset = header.end or 0 if header else 0
        while (segment := self.at(offset)) and segment.id == 0xEC and segment.end:
            offset = segment.end
        if segment is None or segment.id != _SEGMENT:
            raise Malformed(min(offset, self.blob.size), "no Matroska segment")
        self.findings.region(0, segment.content, Kind.STRUCTURED, "EBML header")
        if segment.end is not None and segment.end > self.blob.size:
            self.findings.flaw(self.blob.size, self.blob.size, "the file is shorter than its segment")
        end = min(self.blob.size, segment.end or self.blob.size)
        self._elements(segment.content, end)
        if end < self.blob.size:
            self.findings.note(f"{self.blob.size - end} bytes behind the segment")

    def _elements(self, offset: int, end: int) -> None:
        good, cluster = offset, None
        while offset < end:
            self.left -= 1
            if self.left < 0:
                self.findings.note("long: not every block is tested")
                return
            found = self.at(offset)
            if cluster is not None and offset >= cluster:
                cluster = None
            if found is None or not self._fits(found, cluster or end, end):
                place = self._search(offset + 1, end)
                if place >= end and found and (found.end or 0) > end and found.id in _KNOWN:
                    self.findings.flaw(end, end, "the last element is not whole")
                    if uniform_part(self.blob, offset, end) is None:
                        place = offset
                if place > offset and self.blob.at(offset, min(4096, place - offset)).strip(b"\0"):
                    self.findings.struck(self.blob, good, place, offset, "no element where one must begin")
                place = end if place == offset else place
                self.findings.region(offset, place, Kind.CODED, "blocks")
                good = offset = place
                cluster = None
                continue
            good = offset
            offset, cluster = self._keep(found, offset, cluster)

    def _fits(self, found: _Element, cluster: int, end: int) -> bool:
        if found.id == _CLUSTER:
            return True
        if found.end is None or found.end > end:
            return False
        return found.id in _TOP if found.id not in _INSIDE else found.end <= cluster

    def _keep(self, found: _Element, offset: int, cluster: int | None) -> tuple[int, int | None]:
        if found.id == _CLUSTER:
            self.findings.region(offset, found.content, Kind.CODED, "blocks")
            return found.content, found.end
        end = found.end or found.content
        if found.id in _INSIDE and cluster is not None:
            self.findings.region(offset, end, Kind.CODED, "blocks")
            if found.id in (_SIMPLE, _GROUP):
                self._block(found, end)
            return end, cluster
        kind = Kind.STRUCTURED if found.id in _STRUCTURED else Kind.OPAQUE
        self.findings.region(offset, end, kind, _TOP.get(found.id, "block outside of a cluster"))
        if found.id == _TRACKS:
            self._tracks(found.content, end)
        return end, cluster

    def _tracks(self, offset: int, end: int) -> None:
        for track in self._children(offset, min(end, offset + (1 << 20))):
            if track.id != _TRACK:
                continue
            parts = {part.id: part for part in self._children(track.content, track.end or 0)}
            if 0x6D80 in parts or 0xD7 not in parts or 0x86 not in parts:
                continue  # compressed or encrypted blocks (RFC 9559, 5.1.4.1.31)
            number = int.from_bytes(self._content(parts[0xD7], 8), "big")
            codec = self._content(parts[0x86], 32)
            private = self._content(parts[0x63A2], 32) if 0x63A2 in parts else b""
            if codec.startswith(b"V_MPEG4/ISO/AVC") and len(private) > 4 and private[0] == 1:
                self.widths[number] = (private[4] & 3) + 1
            elif codec.startswith(b"V_MPEGH/ISO/HEVC") and len(private) > 21 and private[0] == 1:
                self.widths[number] = (private[21] & 3) + 1
            elif codec.startswith(b"V_AV1"):
                self.widths[number] = 0

    def _children(self, offset: int, end: int) -> list[_Element]:
        found: list[_Element] = []
        while offset < end and len(found) < 256:
            child = element(self.blob.at(offset, 16), offset)
            if child is None or child.end is None or child.end > end:
                break
            found.append(child)
            offset = child.end
        return found

    def _content(self, found: _Element, most: int) -> bytes:
        return self.blob.at(found.content, min(most, (found.end or 0) - found.content))

    def _block(self, found: _Element, end: int) -> None:
        """Test what stands in a block without lacing (RFC 9559, 10)."""
        if not self.widths:
            return
        if found.id == _GROUP:
            inner = element(self.blob.at(found.content, 16), found.content)
            if inner is None or inner.id != _BLOCK or inner.end is None or inner.end > end:
                return
            found, end = inner, inner.end
        head = self.blob.at(found.content, 4)
        if len(head) < 4 or head[3] & 6 or not head[0] & 0x80:
            return
        width, start = self.widths.get(head[0] & 0x7F), found.content + 4
        if width is None:
            return
        fault = broken_units(self.blob, start, end, width) if width else broken_obus(self.blob, start, end)
        if fault is not None:
            self.findings.struck(self.blob, found.content, end, fault, "a block is not what its codec writes")

    def _search(self, start: int, end: int) -> int:
        """The next cluster, or the first of three blocks in a row; `end` if there is none."""
        for position in range(start, end, 1 << 20):
            self.left -= (1 << 20) // COST
            if self.left < 0:
                return position
            for match in _NEXT.finditer(self.blob.at(position, min((1 << 20) + 3, end - position))):
                if self._chains(position + match.start(), end):
                    return position + match.start()
        return end

    def _chains(self, place: int, end: int) -> bool:
        for _ in range(3):
            found = element(self.blob.at(place, 16), place)
            if found is None or not self._likely(found):
                return False
            place = found.content if found.id == _CLUSTER else found.end or end + 1
            if place >= end:
                return place == end
        return True

    def _likely(self, found: _Element) -> bool:
        """Whether an element of a cluster, or a cluster, is filled in as one is: chance seldom does."""
        size = (found.end or found.content) - found.content
        if found.id in (_SIMPLE, _GROUP):
            head = self.blob.at(found.content, 16)
            if found.id == _GROUP:
                inner = element(head, 0)
                head = head[inner.content :] if inner is not None and inner.id == _BLOCK else b""
            # Track 1 to 15; of the flags three bits are reserved (RFC 9559, 10.2).
            return size > 4 and len(head) > 3 and 0x80 < head[0] < 0x90 and not head[3] & 0x70
        return found.id in _LARGE or (found.id in _INSIDE and 0 < size <= 8)


FORMAT = Format(
    name="matroska",
    title="Matroska or WebM film",
    specification="RFC 9559 5, 10; RFC 8794",
    suffixes=("mkv", "webm", "mka", "mks", "mk3d"),
    recognises=recognises,
    dissect=dissect,
)
