"""RIFF (Microsoft and IBM, 1991): WAV, AVI, WebP and their kin: chunks, each with its length, that chain.

Parsed by hand: the chunks of a film resynchronise where its index or the names of chunks say so.
"""

import re
import struct

from vigie.formats.contract import EFFORT, Format, Malformed
from vigie.formats.media import pcm
from vigie.formats.media.findings import Findings
from vigie.formats.media.nal import broken_scan
from vigie.formats.media.webp import Picture
from vigie.model import Anatomy, Blob, Kind

COST = 512
"""Effort that one chunk takes: as much as half a million of them may be read, two hours of a film."""
_NAME = re.compile(rb"[A-Za-z0-9][A-Za-z0-9 _\-]{3}")
_NEXT = re.compile(
    rb"[0-9]{2}(?:dc|db|wb|tx|pc|sb|iv)|ix[0-9]{2}|idx1|JUNK|LIST|RIFF|data|fact|bext"
    rb"|VP8[ LX]|ALPH|ANMF|EXIF|XMP "
)
_MEDIA = re.compile(rb"[0-9]{2}(?:dc|db|wb|tx|pc|sb|iv)")
_KINDS = {b"WAVE": "wav", b"AVI ": "avi", b"WEBP": "webp"}
_STRUCTURED = frozenset({b"fmt ", b"fact", b"avih", b"strh", b"idx1", b"ANIM", b"VP8X", b"ds64"})
_MAGICS = frozenset({b"RIFF", b"RIFX", b"RF64", b"BW64"})
_STREAMED = (0, 0xFFFFFFFF)  # lengths that a recorder leaves when it cannot go back and fill them in


def _kind(head: bytes) -> str:
    """Which format a head is, or nothing; RF64 and BW64 are WAV files of more than 4 GiB (EBU Tech 3306)."""
    if len(head) < 20 or head[:4] not in _MAGICS or not _NAME.fullmatch(head[12:16]):
        return ""
    return _KINDS.get(head[8:12], "riff" if _NAME.fullmatch(head[8:12]) else "")


class _Walk:
    """One pass over the chunks."""

    def __init__(self, blob: Blob, effort: int) -> None:
        self.blob = blob
        self.effort = effort
        self.findings = Findings(blob.size)
        self.layout: pcm.Layout | None = None
        self.jpeg = False
        self.large = 0
        self.canvas: tuple[int, int] | None = None
        self.seen: set[bytes] = set()

    def run(self) -> None:
        """Every RIFF of the file: long films have several, one behind the other (OpenDML 2.0)."""
        offset = 0
        while offset < self.blob.size and self.effort > 0:
            head = self.blob.at(offset, 12)
            if len(head) < 12 or head[:4] not in _MAGICS:
                self._behind(offset)
                return
            if head[:4] == b"RIFX":
                self.findings.note("big-endian: its chunks are not followed")
                self.findings.region(offset, offset + 12, Kind.STRUCTURED, "RIFX header")
                return
            size = int.from_bytes(head[4:8], "little")
            end = self.blob.size if size in _STREAMED or head[:4] != b"RIFF" else offset + 8 + size
            if end > self.blob.size:
                self.findings.flaw(self.blob.size, self.blob.size, "the file is shorter than it says")
            self.findings.region(offset, offset + 12, Kind.STRUCTURED, "RIFF header")
            self._list(offset + 12, min(end, self.blob.size))
            offset = end + (size & 1)

    def _behind(self, offset: int) -> None:
        if self.blob.at(offset, min(1 << 20, self.blob.size - offset)).strip(b"\0"):
            self.findings.note(f"{self.blob.size - offset} bytes behind the RIFF")
            self.findings.region(offset, self.blob.size, Kind.OPAQUE, "bytes behind the RIFF")

    def _list(self, offset: int, end: int) -> None:
        """Chunks; lists are entered, so that one pass does."""
        good = offset
        while end - offset >= 8:
            self.effort -= COST
            if self.effort <= 0:
                self.findings.note("long: not every chunk is tested")
                return
            head = self.blob.at(offset, 12)
            name, size = head[:4], int.from_bytes(head[4:8], "little")
            if name == b"data" and (size in _STREAMED or self.large):
                size = min(self.large or end - offset - 8, end - offset - 8)
            stop = offset + 8 + size
            if not _NAME.fullmatch(name) or (stop > end and not self._known(name)):
                offset = self._lost(good, offset, end)
                good = offset
                continue
            good = offset
            if stop > end >= self.blob.size and not self.findings.flawed:
                self.findings.note("the last chunk is longer than the RIFF")
            if name == b"LIST" and size >= 4:
                self.findings.region(offset, offset + 12, Kind.STRUCTURED, "list header")
                offset += 12
                if head[8:] == b"INFO":
                    self.findings.region(offset, stop, Kind.OPAQUE, "information")
                    offset = stop + (size & 1)
                continue
            if name == b"ANMF" and size >= 16:  # a picture of an animation (RFC 9649, 2.7.1.1)
                self.findings.region(offset, offset + 24, Kind.STRUCTURED, "frame header")
                self._size(self.blob.at(offset + 14, 6))
                offset += 24
                continue
            self._chunk(name, offset, min(stop, end))
            offset = stop + (size & 1)

    def _known(self, name: bytes) -> bool:
        return name in (b"LIST", b"data", b"idx1", b"fmt ") or bool(_NEXT.fullmatch(name))

    def _chunk(self, name: bytes, offset: int, end: int) -> None:
        start = offset + 8
        said = name.decode("ascii").strip()
        self.seen.add(name)
        if _MEDIA.fullmatch(name):
            self.findings.region(offset, end + (end - offset & 1), Kind.CODED, "pictures and sound")
            if self.jpeg and name[2:] == b"dc" and end > start:
                self.effort -= end - start
                fault = broken_scan(self.blob, start, end)
                if fault is not None:
                    self.findings.struck(
                        self.blob, start, end, fault, "a picture that no JPEG encoder writes"
                    )
            return
        self.findings.region(offset, start, Kind.STRUCTURED, "chunk header")
        if name == b"fmt ":
            self._format(self.blob.at(start, min(40, end - start)))
        elif name == b"ds64":
            self.large = int.from_bytes(self.blob.at(start + 8, 8), "little")
        elif name == b"VP8X":
            self._size(self.blob.at(start + 4, 6))
        elif name == b"strf":
            self.jpeg = self.jpeg or self.blob.at(start + 16, 4).upper() in (b"MJPG", b"IJPG")
        elif name == b"data":
            # Only integer samples are looked at: of others nothing can be told.
            self.findings.region(start, end, Kind.CODED if self.layout else Kind.OPAQUE, "samples")
            if self.layout:
                pcm.examine(self.blob, start, end, self.layout, self.findings, self.effort)
            return
        elif name in (b"VP8 ", b"VP8L", b"ALPH"):
            self._picture(name, start, end)
            return
        kind = Kind.STRUCTURED if name in _STRUCTURED else Kind.OPAQUE
        self.findings.region(start, end, kind, f"{said} chunk")

    def _format(self, body: bytes) -> None:
        """A WAVEFORMATEX: samples that are integers can be looked at."""
        if len(body) < 16:
            return
        tag, channels, _, _, _, bits = struct.unpack_from("<HHLLHH", body)
        if tag == 0xFFFE and len(body) >= 26:
            tag = int.from_bytes(body[24:26], "little")
        if tag == 1 and bits in (8, 16, 24, 32):
            self.layout = pcm.Layout(bits // 8, channels, signed=bits > 8)

    def _size(self, raw: bytes) -> None:
        self.canvas = int.from_bytes(raw[:3], "little") + 1, int.from_bytes(raw[3:], "little") + 1

    def _picture(self, name: bytes, start: int, end: int) -> None:
        """A WebP bitstream, if the frame header of VP8 (RFC 6386, 9.1) or the signature of VP8L is sane."""
        head = self.blob.at(start, 10)
        if name == b"VP8L":
            sane = head[:1] == b"\x2f" and (len(head) < 5 or not head[4] >> 5)
        elif name == b"ALPH":
            sane = not head[:1] or not head[0] >> 6
        else:
            first = int.from_bytes(head[:3], "little")
            sane = head[3:6] == b"\x9d\x01\x2a" and not first & 1 and first >> 5 <= end - start
        if sane:
            self.effort -= Picture(self.blob, start, end, self.findings).examine(
                name, self.effort, self.canvas
            )
        else:
            self.findings.region(start, end, Kind.OPAQUE, "picture")
            self.findings.struck(self.blob, start, end, start, "no picture where one must begin")

    def _lost(self, good: int, lost: int, end: int) -> int:
        """No chunk stands at `lost`; returns where the next one does."""
        if {b"data", b"idx1"} & self.seen or not self.blob.at(lost, min(4096, end - lost)).strip(b"\0"):
            self.findings.note(f"no chunk at byte {lost}")
            return end
        place = self._search(lost + 1, end)
        self.findings.region(lost, place, Kind.CODED, "pictures and sound")
        self.findings.struck(self.blob, good, place, lost, "no chunk where one must begin")
        return place

    def _search(self, start: int, end: int) -> int:
        """The next chunk that leads to another one, or as far as the effort reaches."""
        end = min(end, start + max(self.effort, 1 << 20))
        for position in range(start, end, 1 << 20):
            self.effort -= 1 << 20
            for match in _NEXT.finditer(self.blob.at(position, min((1 << 20) + 3, end - position))):
                place = position + match.start()
                head = self.blob.at(place, 8)
                size = int.from_bytes(head[4:8], "little")
                stop = place + 8 + size + (size & 1)
                following = self.blob.at(stop, 4)
                if stop >= end - 1 or (stop < end and self._known(following)):
                    return place
        return end


def dissect_as(name: str, blob: Blob, effort: int) -> Anatomy:
    """The anatomy of any RIFF.

    Raises:
        Malformed: no RIFF header.
        Unreadable: the blob cannot be read.
    """
    if not _kind(blob.at(0, 20)):
        raise Malformed(0, "no RIFF header")
    walk = _Walk(blob, effort)
    walk.run()
    return walk.findings.anatomy(name)


def _format(name: str, title: str, specification: str, suffixes: tuple[str, ...]) -> Format:
    def recognises(head: bytes) -> bool:
        return _kind(head) == name

    def dissect(blob: Blob, effort: int = EFFORT) -> Anatomy:
        return dissect_as(name, blob, effort)

    return Format(name, title, specification, suffixes, recognises, dissect)


FORMATS = (
    _format(
        "wav",
        "WAV sound",
        "Multimedia Programming Interface 1.0, RIFF; EBU Tech 3306",
        ("wav", "wave", "bwf"),
    ),
    _format("avi", "AVI film", "OpenDML AVI File Format Extensions 1.02", ("avi", "divx")),
    _format("webp", "WebP picture", "RFC 9649", ("webp",)),
    _format("riff", "RIFF file", "Multimedia Programming Interface 1.0, RIFF", ("rmi", "ani", "sf2")),
)
